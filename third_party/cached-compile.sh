#!/bin/sh
# Runs a compiler through ccache where there is one. With precompiled headers ccache has to be told that no file depends on
# macros or times that they would hide.
if command -v ccache > /dev/null; then
  CCACHE_SLOPPINESS="${CCACHE_SLOPPINESS:-pch_defines,time_macros,include_file_mtime,include_file_ctime}" exec ccache "$@"
fi
exec "$@"
