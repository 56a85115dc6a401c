"""The `foretide` command. One module per command group; heavy imports wait until a command runs."""
