"""Role web: Nginx, PHP-FPM and the site's files."""

from pathlib import Path

from fabfile.target import Target
from lab.ensure import Desired, File, Unit
from lab.topology import ROOT

SITE = ROOT / "provision" / "site"
DOCUMENTS = "/var/www/site"
SITE_CONFIG = "/etc/weblab/site.php"


def desired(target: Target) -> Desired:
    """What the web role wants of a node."""
    release = target.release
    nginx, php = release.nginx_conf, release.php_fpm_conf
    site = site_files()
    settings = File(SITE_CONFIG, target.render("site-config.php.j2"), "640", "root:www-data", "php -l %s")
    return Desired(
        packages=("nginx", f"php{release.php}-fpm", f"php{release.php}-mysql"),
        files=(
            *site,
            settings,
            File(php, target.render("php-fpm.conf.j2"), check=f"{release.php_fpm_binary} -t -y %s"),
            File(nginx, target.render("nginx.conf.j2"), check=f"{release.nginx_binary} -t -q -c %s"),
        ),
        units=(
            Unit(
                f"{release.php_fpm_unit}.service",
                watches=(php, SITE_CONFIG, *(file.path for file in site)),
                on_change=f"systemctl reload {release.php_fpm_unit}",
            ),
            Unit(
                f"{release.nginx_unit}.service",
                watches=(nginx,),
                on_change=f"systemctl reload {release.nginx_unit}",
            ),
        ),
    )


def site_files(folder: Path = SITE) -> tuple[File, ...]:
    """The application as it is in provision/site, each PHP file checked before it is put in place."""
    return tuple(
        File(
            f"{DOCUMENTS}/{path.relative_to(folder).as_posix()}",
            path.read_text(encoding="utf-8"),
            check="php -l %s" if path.suffix == ".php" else "",
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )
