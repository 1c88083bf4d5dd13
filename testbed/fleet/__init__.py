"""A fleet of relays on podman, as Kubernetes would run them: the Helm chart's output, three replicas, a load, a Service.

Shared by the tests and the benchmark; see the modules: ``translate`` (StatefulSet -> pods for podman), ``volumes`` (laid
out as by kubelet), ``cluster`` (starts, probes, deletes pods), ``service`` (a balancer that knows which replicas are
ready), ``load`` (clients that submit messages, and record which were accepted), ``upstream`` (the server to which the
relays deliver), ``verdict`` (what was lost, or came twice, and why).
"""
