# Runs "$@" after the first argument, which is the signal that stops it, until
# it ends or standard input does: that happens when the process that started
# this script ends, in whatever way. Nothing of the group outlives the script.
signal=$1
shift
exec 4<&0 </dev/null
"$@" 4<&- &
server=$!
(
	read -r _ <&4
	(: >"$TMPDIR/stopping") # in a shell of its own, which ends where another watcher has removed the directory
	kill -s "$signal" "$server"
	sleep 12
	kill -s KILL -- "-$$"
) 2>/dev/null &
trap '' TERM
wait "$server"
# The whole stack is stopping: nobody else may be left to remove its sockets.
[ ! -e "$TMPDIR/stopping" ] || rm -rf "$TMPDIR"
kill -s TERM -- "-$$"
kill -s KILL -- "-$$"
