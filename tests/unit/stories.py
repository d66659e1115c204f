"""Names of the shipped experiments in which the primary is told to stop, or a relay log is torn, or a crowd comes."""

ENDS = ("mysql-stop", "shutdown", "power-button")
NOT_LISTENING = ("replication-stopped", "replica-frozen", "replica-cut-off", "replica-off")
# The primary is told to stop while commits wait: the promotion is refused first, and both servers start again.
ORDERLY = {f"web1-{end}-{replica}" for end in ENDS for replica in NOT_LISTENING}
TORN = {"torn-by-a-stopped-receiver", "torn-by-a-cut", "torn-by-a-power-off"}
LONG = {"acknowledged-means-confirmed", "control-without-confirmation"}  # enough must have been acknowledged before
CROWDS = {"crowd", "crowd-of-writes", "crowd-web2-power-off", "control-without-admission"}  # several rates of the load
