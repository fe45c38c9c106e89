"""The REST API: routes derived from the kinds, authentication, access, paging, inspection, errors to HTTP.
No business rule of a kind lives here.
"""
