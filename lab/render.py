"""Templates to text: the same values always give the same file, and a missing value is an error."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound
from jinja2.exceptions import TemplateError, TemplateSyntaxError, UndefinedError

from lab.errors import BadInput

FOLDER = Path(__file__).resolve().parents[1] / "provision" / "templates"


def render(template: str, folder: Path = FOLDER, **values: object) -> str:
    """Fill `template` with `values`; raises BadInput with its file, line and the name that is missing."""
    try:
        return _environment(folder).get_template(template).render(**values)
    except TemplateNotFound as error:
        raise BadInput(f"{folder / str(error.name)}: there is no such template") from error
    except TemplateSyntaxError as error:
        raise BadInput(f"{error.filename}:{error.lineno}: {error.message}") from error
    except UndefinedError as error:
        raise BadInput(f"{_place(error, folder / template)}: {error.message}", hint=_given(values)) from error
    except (TemplateError, TypeError, ValueError) as error:
        raise BadInput(f"{_place(error, folder / template)}: {error}") from error


def php(value: object) -> str:
    """Quote a value as a PHP string: in single quotes PHP interprets only the backslash and the quote."""
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=_is_page,
    )
    environment.filters["php"] = php
    return environment


def _is_page(template: str | None) -> bool:
    """Whether values are escaped: in a web page, not in a configuration file."""
    return bool(template) and str(template).endswith(".html.j2")


def _place(error: BaseException, template: Path) -> str:
    """Where it failed, innermost file first: Jinja puts templates in the traceback as if they were Python."""
    place, trace = str(template), error.__traceback__
    while trace:
        file = trace.tb_frame.f_code.co_filename
        if Path(file).parent == template.parent:
            place = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _given(values: dict[str, object]) -> str:
    return "values given to it: " + (", ".join(sorted(values)) or "none")
