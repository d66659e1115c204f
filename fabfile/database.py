"""Role database: a MySQL server that boots read-only; `lab/replication` decides which server accepts writes."""

from lab.desired.state import Desired, File, Unit
from lab.desired.target import Target
from lab.mysql import server_state, shutdown

# Limits the wait for a server that does not stop, for example a frozen one: the package's unit waits without limit.
PATIENCE = "/etc/systemd/system/mysql.service.d/weblab.conf"
WATCH = "/etc/systemd/system/weblab-mysql-watch.service"
WATCHER = "/usr/local/lib/weblab/mysql-watch"
LAST = "/usr/lib/systemd/system-shutdown/weblab"


def desired(target: Target) -> Desired:
    """The desired state of a node with the role database."""
    mysql = target.release.service("mysql")
    conf, check = mysql.conf, f"{mysql.binary} --defaults-file=%s --user=mysql --validate-config"
    return Desired(
        packages=("mysql-server",),
        files=(
            File(conf, target.render("mysqld.cnf.j2"), check=check),
            File(shutdown.RECORDER, target.render("mysql-record.j2"), check="sh -n %s"),
            File(PATIENCE, target.render("mysql-unit.conf.j2")),
            File(WATCHER, target.render("mysql-watch.j2"), mode="755", check="sh -n %s"),
            File(WATCH, target.render("mysql-watch.service.j2")),
            File(LAST, target.render("system-shutdown.j2"), mode="755", check="sh -n %s"),
        ),
        units=(
            Unit(
                f"{mysql.unit}.service",
                watches=(conf,),
                on_change=f"systemctl restart {mysql.unit}",
                in_turn=True,
            ),
            Unit(
                "weblab-mysql-watch.service",
                watches=(WATCH, WATCHER),
                on_change="systemctl restart weblab-mysql-watch",
            ),
        ),
        questions={"database": server_state.QUESTION},
    )
