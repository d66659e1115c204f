"""The roles that nodes of lab.yml can have, and base, which all have."""

from fabfile import balancer, base, database, nameserver, web
from lab.desired.target import Roles

ROLES: Roles = {
    "base": base.desired,
    "nameserver": nameserver.desired,
    "balancer": balancer.desired,
    "web": web.desired,
    "database": database.desired,
}
