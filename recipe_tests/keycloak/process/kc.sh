#!/bin/bash
# What the image calls kc.sh: Keycloak's documented main class on its documented class path. It differs from the
# distribution's script in what matters here: it becomes the JVM, so the process that the engine started is the server.
# No option of Keycloak is set here, they belong to the recipe.
set -euo pipefail
set -f # nothing below is a file name pattern

properties=() arguments=()
for argument; do
    case $argument in
        -D*) properties+=("$argument") ;;
        *) arguments+=("$argument") ;;
    esac
done

# As in the image, a recipe may set these. The heap is what the distribution takes outside a container: the image's 70 %
# of all memory would be 70 % of this machine's.
heap=${JAVA_OPTS_KC_HEAP:--Xms64m -Xmx512m}
options=${JAVA_OPTS:--XX:MetaspaceSize=96M -XX:MaxMetaspaceSize=256m -XX:+ExitOnOutOfMemoryError $heap}
appended=${JAVA_OPTS_APPEND:-}

# Serial needs the least time and memory to start. Two choices would stop the JVM, so a recipe that chooses has the
# only word. The second compiler stays on: without it a start is a second shorter, but each new realm three longer.
collector=-XX:+UseSerialGC
[[ "$options $appended" != *-XX:[+-]Use*GC* ]] || collector=

java=(
    "$WARMCI_JAVA_HOME/bin/java"
    -Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory
    # There is no container: the other services' names, a private place for files, no trace in the shared one.
    "-Djdk.net.hosts.file=$WARMCI_HOSTS" "-Djava.io.tmpdir=$WARMCI_SCRATCH" -XX:-UsePerfData
    $collector $options
    -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8 -Duser.language=en -Duser.country=US
    --add-opens=java.base/java.lang=ALL-UNNAMED
    --add-opens=java.base/java.security=ALL-UNNAMED
    --add-opens=java.base/java.util=ALL-UNNAMED
    --add-opens=java.base/java.util.concurrent=ALL-UNNAMED
    --enable-native-access=ALL-UNNAMED
    $appended
)

# Archived classes of the class path start the server a third faster. The JVM opens the jars by the path that it was
# trained with, as long as that exists, and would run another app's install, even another version. So it is trained
# by a name that ends with this service's scratch directory.
cache=()
jars=$WARMCI_INSTALL
if [[ -n ${WARMCI_BOOT_CACHE_OUT-} ]]; then
    jars=$(mktemp -d "$WARMCI_SCRATCH/trained-XXXXXXXX")/install
    ln -s "$WARMCI_INSTALL" "$jars"
    cache=("-XX:AOTCacheOutput=$WARMCI_BOOT_CACHE_OUT")
elif [[ -n ${WARMCI_BOOT_CACHE-} ]]; then
    # A rotten cache must cost a second, not the verdict: verify its checksums, go on without it.
    cache=("-XX:AOTCache=$WARMCI_BOOT_CACHE" -XX:+VerifySharedSpaces)
fi

server=(
    "-Dkc.home.dir=$WARMCI_INSTALL" "-Djboss.server.config.dir=$WARMCI_INSTALL/conf"
    -Djava.util.logging.manager=org.jboss.logmanager.LogManager
    -Dpicocli.disable.closures=true -Dquarkus-log-max-startup-records=10000
    -cp "$jars/lib/quarkus-run.jar" io.quarkus.bootstrap.runner.QuarkusEntryPoint
    "${arguments[@]}"
)

# For what is over in seconds, the second compiler is not worth its time.
short() {
    local status=0
    "${java[@]}" -XX:TieredStopAtLevel=1 "${properties[@]}" "${server[@]}" || status=$?
    return "$status"
}

# A `start` without --optimized first rebuilds the server if its build options changed; then it ends with status 10
# and wants to be started again, as built. The engine's prepare step has built it for this environment, so mostly
# there is nothing to do. Two cases need a look first: options on the command line, which that step did not see, and
# 26.4, which ends with 10 even if it has changed nothing.
rebuilt=10
status=0
if [[ ${arguments[0]-} == start* && " ${arguments[*]} " != *" --optimized "* ]]; then
    if grep -q 'Version 26\.4\.' "$WARMCI_INSTALL/version.txt"; then
        status=$rebuilt
    elif [[ ${arguments[*]} != start ]]; then
        KC_DRY_RUN=true short || status=$?
    fi
    if ((status == rebuilt)); then
        status=0
        short || status=$?
        ((status == rebuilt)) || exit "$status"
        properties+=(-Dkc.config.built=true)
    elif ((status != 0)); then
        exit "$status"
    fi
elif [[ ${arguments[0]-} == build ]]; then
    properties+=(-XX:TieredStopAtLevel=1)
fi

exec "${java[@]}" "${cache[@]}" "${properties[@]}" "${server[@]}"
