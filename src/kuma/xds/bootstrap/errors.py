"""Why a proxy gets no bootstrap. The class says what its kuma-dp should do; endpoint.py has the codes.

BootstrapRefused
├── BadRequest   tell the user: the request itself is wrong
├── NotThereYet  ask again: the Dataplane has not been created
└── Invalid      tell the user: what the request describes is wrong
"""


class BootstrapRefused(Exception):
    pass


class BadRequest(BootstrapRefused):
    pass


class NotThereYet(BootstrapRefused):
    pass


class Invalid(BootstrapRefused):
    pass
