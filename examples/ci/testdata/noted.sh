#!/bin/sh
# A program on the machine of a test: notes how it was called, and does it.
folder=${0%/*}
tool=${0##*/}
printf '%s %s\n' "$tool" "$*" >>"$folder/.calls"
exec "$folder/.real/$tool" "$@"
