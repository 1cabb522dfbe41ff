#!/usr/bin/env bash
# up.sh FOLDER: a SLURM of one node, this machine, with its files under FOLDER. As root; no systemd, no cgroups, nothing listens but on
# 127.0.0.1. Installs Debian's packages where they are missing. down.sh FOLDER stops it.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: up.sh FOLDER" >&2; exit 2; }
mkdir -p "$1"/{etc,run,log,state,spool}
chmod 755 "$1" "$1"/*
folder=$(cd "$1" && pwd) host=$(hostname -s) me=$(id -un) port=${SLURM_PORT:-16817}
export PATH=/usr/sbin:/sbin:$PATH SLURM_CONF=$folder/etc/slurm.conf
fail() {
    echo "slurm: $*" >&2
    tail -n 20 "$folder"/log/*.log >&2 || true
    exit 1
}

missing=()
for pair in munge:munged slurmctld:slurmctld slurmd:slurmd slurm-client:sbatch; do
    command -v "${pair#*:}" >/dev/null || missing+=("${pair%%:*}")
done
if [ ${#missing[@]} -gt 0 ]; then
    # Without this the packages start services of their own.
    made=""
    [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; made=1; }
    status=0
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$folder/log/apt.log" 2>&1 || status=$?
    [ -z "$made" ] || rm -f /usr/sbin/policy-rc.d
    [ $status -eq 0 ] || fail "apt-get install ${missing[*]}"
fi

(umask 077; head -c 128 /dev/urandom >"$folder/etc/munge.key")
cat >"$SLURM_CONF" <<CONF
ClusterName=onenode
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=$me
SlurmdUser=$me
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$folder/run/munge.socket
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MailProg=/bin/true
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_min_interval=0,bf_interval=5
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=5
# Longer than Snakemake asks about a job that has ended.
MinJobAge=3600
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
DefMemPerCPU=256
NodeName=$host NodeHostname=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(awk '/^MemTotal/{print int($2/1024*0.9)}' /proc/meminfo) State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE DefaultTime=60 State=UP
CONF
# The plugin takes SLURM_CONF out of the environment of its inner srun, which then looks here.
link=/etc/slurm/slurm.conf
[ ! -e "$link" ] || [ -L "$link" ] || fail "$link is a real file: another SLURM is configured here"
mkdir -p /etc/slurm
ln -sfn "$SLURM_CONF" "$link"

until_true() { # SECONDS COMMAND …
    local left=$(($1 * 5))
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ $left -gt 0 ] || return 1
        sleep 0.2
    done
}
munged --key-file="$folder/etc/munge.key" --socket="$folder/run/munge.socket" --pid-file="$folder/run/munged.pid" \
    --log-file="$folder/log/munged.log" --seed-file="$folder/run/munge.seed" || fail "munged does not start"
until_true 10 sh -c "munge -S '$folder/run/munge.socket' -n | unmunge -S '$folder/run/munge.socket'" || fail "munge does not answer"
slurmctld -i || fail "slurmctld does not start"
until_true 20 timeout 5 scontrol ping || fail "slurmctld does not answer"
slurmd || fail "slurmd does not start"
idle() { timeout 5 sinfo -h -n "$host" -o %t | grep -qE '^(idle|mix|alloc)'; }
until_true 15 idle || { scontrol update nodename="$host" state=resume || true; until_true 15 idle; } || fail "the node is not idle"
