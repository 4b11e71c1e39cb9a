"""Turns settings objects into options of a typer command: one option per field of a frozen dataclass.

A field is an option if its annotation has a :func:`typer.Option`; other fields keep their defaults and are for
library use. ``@with_options`` gives typer the expanded parameters and the command the object.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from typer.models import ParameterInfo

P = ParamSpec("P")
R = TypeVar("R")


@dataclasses.dataclass(frozen=True, slots=True)
class GivenAs:
    """Command-line form of a field that differs from its library form.

    Attributes
    ----------
    type : type
        Of the option.
    default : object
        Default of the option; by default none, so that it is required.
    convert : callable, optional
        From the option's value to the field's.
    """

    type: Any
    default: Any = inspect.Parameter.empty
    convert: Callable[[Any], Any] = lambda value: value


def with_options(command: Callable[P, R]) -> Callable[..., R]:
    """Return a command whose parameters of dataclass type are replaced by one option for each of their fields.

    Parameters
    ----------
    command : callable
        Its annotations must be importable where it is defined, as typer requires anyway.

    Returns
    -------
    callable
        The function for typer: the options in the order of the fields, in place of the dataclass.
    """
    signature = inspect.signature(command, eval_str=True)
    shown: list[inspect.Parameter] = []
    grouped: dict[str, tuple[type, dict[str, Callable[[Any], Any]]]] = {}
    for parameter in signature.parameters.values():
        if not (isinstance(parameter.annotation, type) and dataclasses.is_dataclass(parameter.annotation)):
            shown.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        fields = _option_fields(parameter.annotation)
        grouped[parameter.name] = (parameter.annotation, {option.name: convert for option, convert in fields})
        shown += [option for option, _ in fields]

    @functools.wraps(command)
    def expanded(**given: Any) -> R:
        for name, (settings, converters) in grouped.items():
            given[name] = settings(**{field: convert(given.pop(field)) for field, convert in converters.items()})
        return command(**given)  # type: ignore[call-arg]

    expanded.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    expanded.__annotations__ = {p.name: p.annotation for p in shown} | {"return": signature.return_annotation}
    return expanded


def _option_fields(settings: type) -> list[tuple[inspect.Parameter, Callable[[Any], Any]]]:
    """Return the parameter and the value conversion of each field that is an option."""
    annotations = {field.name: field.type for field in dataclasses.fields(settings)}
    # A module without postponed annotations may quote types within Annotated that are slow to import.
    if any(isinstance(annotation, str) for annotation in annotations.values()):
        annotations = get_type_hints(settings, include_extras=True)
    found = []
    for field in dataclasses.fields(settings):
        annotation = annotations[field.name]
        if get_origin(annotation) is not Annotated:
            continue
        of_library, *extras = get_args(annotation)
        option = next((extra for extra in extras if isinstance(extra, ParameterInfo)), None)
        if option is None:
            continue
        given = next((extra for extra in extras if isinstance(extra, GivenAs)), None) or _as_it_is(field, of_library)
        parameter = inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=given.default,
            annotation=Annotated[given.type, option],
        )
        found.append((parameter, given.convert))
    return found


def _as_it_is(field: dataclasses.Field[Any], of_library: Any) -> GivenAs:
    """Return a field's own type and default; a tuple of any length is an option that may be repeated."""
    if get_origin(of_library) is tuple and get_args(of_library)[1:] == (...,):
        return GivenAs(list[get_args(of_library)[0]] | None, None, lambda value: tuple(value or ()))  # type: ignore[misc]
    return GivenAs(of_library, inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default)


__all__ = ["GivenAs", "with_options"]
