"""A fleet of relays on podman, as Kubernetes would run them: what the Helm chart renders, three replicas, a load, a Service.

Shared by the tests and the benchmark; see the modules: ``translate`` (StatefulSet -> pods that podman knows), ``volumes``
(laid out as kubelet does), ``cluster`` (starts, probes, deletes pods), ``service`` (a balancer that knows who is ready),
``load`` (clients that hand messages in, and note what was accepted), ``upstream`` (the server that the relays deliver to),
``verdict`` (what was lost, or came twice, and why).
"""
