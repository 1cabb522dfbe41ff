#!/usr/bin/env bash
# down.sh FOLDER: cancel the jobs and stop the daemons of up.sh FOLDER, by their pid files and nothing else.
set -uo pipefail
[ $# -eq 1 ] || { echo "usage: down.sh FOLDER" >&2; exit 2; }
folder=$(cd "$1" && pwd) || exit 0
export SLURM_CONF=$folder/etc/slurm.conf
# A daemon that has ended may stay behind as a zombie, whose command line is empty.
runs() { [ -n "$1" ] && [ -r "/proc/$1/cmdline" ] && tr '\0' ' ' <"/proc/$1/cmdline" | grep -q -- "$2"; }

timeout 10 squeue -h -o %A 2>/dev/null | sort -u | xargs -r timeout 20 scancel
for _ in $(seq 50); do
    [ -z "$(timeout 5 squeue -h -t running,completing 2>/dev/null)" ] && break
    sleep 0.2
done
status=0
for name in slurmd slurmctld munged; do
    pid=$(cat "$folder/run/$name.pid" 2>/dev/null) || continue
    runs "$pid" "$name" || continue
    kill "$pid"
    for _ in $(seq 100); do
        runs "$pid" "$name" || break
        sleep 0.2
    done
    runs "$pid" "$name" && { echo "slurm: $name ($pid) did not end" >&2; kill -KILL "$pid"; status=1; }
done
[ "$(readlink /etc/slurm/slurm.conf)" != "$SLURM_CONF" ] || rm -f /etc/slurm/slurm.conf
exit $status
