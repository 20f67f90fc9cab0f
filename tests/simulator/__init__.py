"""A deterministic simulator of the whole system under fire, and the judge that knows the truth.

One run is one seed: a few SKUs sold over a few model channels, workers that are the real functions of ``sync``
on a real Valkey, and faults at every boundary. See ``docs/correctness.md``.
"""
