"""Which tables get an index, and that nothing else of what is wanted is lost by it."""

from __future__ import annotations

from dms_relay.model import Origin, PostfixConfig, ServiceParameter
from dms_relay.plan.found import Found
from dms_relay.plan.indexes import choose
from dms_relay.postfix.table_types import INDEXED_FROM, TableTypes, TypesAnswer

TABLE = "relay.d/a.sasl"
SERVICES = {"relay-a": {"smtp_sasl_password_maps": f"texthash:/etc/postfix/{TABLE}"}}
FOUND = Found(types=TableTypes(lambda: TypesAnswer(("cdb", "lmdb"), {})))


def test_operators_parameters_of_services_stay() -> None:
    """A line of postfix-master.cf counts whether a table is big or not."""
    own = ServiceParameter("relay-a/unix", "smtp_helo_name", "a.test", Origin("postfix-master.cf", 1))
    big = "".join(f"@{number}.test\tu:p\n" for number in range(INDEXED_FROM))
    wanted = PostfixConfig({TABLE: big}, services=SERVICES, service_parameters={own.key: own})
    chosen = choose(wanted, FOUND).wanted
    assert chosen.services["relay-a"]["smtp_sasl_password_maps"] == f"cdb:/etc/postfix/{TABLE}"
    assert chosen.service_parameters == {own.key: own}


def test_tables_of_tokens_are_indexed_at_any_size() -> None:
    """One key is enough; a table of passwords of the same size is not indexed."""
    tables = {TABLE: "[a.test]:587\tu:t\n", "relay.d/b.sasl": "[b.test]:587\tu:p\n"}
    services = SERVICES | {"relay-b": {"smtp_sasl_password_maps": "texthash:/etc/postfix/relay.d/b.sasl"}}
    chosen = choose(PostfixConfig(tables, services=services, token_tables=frozenset({TABLE})), FOUND).wanted
    assert sorted(chosen.tables) == [TABLE, f"{TABLE}.cdb", "relay.d/b.sasl"]
    assert chosen.services["relay-b"] == services["relay-b"]
