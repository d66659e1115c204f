"""The roles that lab.yml can give to a node, and the role base of every node."""

from fabfile import balancer, base, database, nameserver, web
from lab.desired.target import Roles

ROLES: Roles = {
    "base": base.desired,
    "nameserver": nameserver.desired,
    "balancer": balancer.desired,
    "web": web.desired,
    "database": database.desired,
}
