"""Role database: a MySQL server that boots read-only; who may write is decided by `replication`."""

from fabfile.target import Target
from lab import databases
from lab.ensure import Desired, File, Unit


def desired(target: Target) -> Desired:
    """What the database role wants of a node."""
    release = target.release
    conf = release.mysql_conf
    check = f"{release.mysql_binary} --defaults-file=%s --user=mysql --validate-config"
    return Desired(
        packages=("mysql-server",),
        files=(File(conf, target.render("mysqld.cnf.j2"), check=check),),
        units=(
            Unit(
                f"{release.mysql_unit}.service",
                watches=(conf,),
                on_change=f"systemctl restart {release.mysql_unit}",
            ),
        ),
        questions={"database": databases.QUESTION},
    )
