"""Pure decisions: no sockets, clocks, threads or sleeps; `now` comes in, decisions go out."""
