"""One file a parser: `check(data)` raises where a promise is broken, `seeds()` gives inputs to begin with."""
