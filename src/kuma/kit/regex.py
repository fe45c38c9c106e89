"""Is a text a regular expression for Envoy? Asked of RE2, the library that Envoy uses."""


def find_regex_error(text: str) -> str | None:
    """What RE2 says against `text`; None: nothing."""
    import re2  # here, since it takes 30 ms and most runs of kumactl need none

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(text, options=options)
    except re2.error as error:
        [reason] = error.args
        return reason.decode() if isinstance(reason, bytes) else str(reason)
    return None
