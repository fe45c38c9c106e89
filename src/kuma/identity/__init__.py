"""Who is who: certificate authorities, workload certificates, tokens and their signing keys.
Pure but for the clock and randomness it is handed; stores and HTTP stay outside.
"""
