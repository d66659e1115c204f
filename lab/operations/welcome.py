"""What lab.up says at its end: where the site is, who served it, what to try next."""

from lab.nodes.site import Response
from lab.topology import Lab


def text(lab: Lab, page: Response) -> str:
    """The last lines of lab.up."""
    server, database = page.headers.get("x-served-by", "?"), page.headers.get("x-db", "?")
    address = lab.having("balancer")[0].ip
    return "\n".join(
        [
            "",
            f"The lab is up: {lab.url} answered {page.status}, served by {server}, "
            f"read from the database on {database}.",
            f"  curl --resolve {lab.site}:80:{address} http://{lab.site}/    the site by its name",
            "  invoke lab.status                                            what runs where",
            '  invoke lab.exec web1 "systemctl stop nginx"                  break something, then look again',
        ]
    )
