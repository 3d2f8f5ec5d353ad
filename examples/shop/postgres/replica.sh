# Starts the replica: a copy of the primary, which then follows it. Without a primary it waits for one.
set -eu
if [ ! -e "$PGDATA/PG_VERSION" ]; then
    until PGPASSWORD=$SHOP_PASSWORD pg_basebackup --host="$PRIMARY" --pgdata="$PGDATA" \
        --checkpoint=fast --write-recovery-conf; do
        rm -rf "${PGDATA:?}"
        sleep 1
    done
fi
exec postgres
