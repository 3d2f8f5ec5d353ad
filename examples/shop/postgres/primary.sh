# Starts the primary database. The folder is made anew with each pod: this shop starts with an empty order book.
set -eu
if [ ! -e "$PGDATA/PG_VERSION" ]; then
    printf '%s' "$SHOP_PASSWORD" > /tmp/password
    initdb --username=shop --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 \
        --encoding=UTF8 --no-sync > /dev/null
    rm /tmp/password
    cat /srv/settings.conf >> "$PGDATA/postgresql.conf"
    printf 'host %s shop all scram-sha-256\n' all replication >> "$PGDATA/pg_hba.conf"
    # Nobody but this script gets in before the tables are there.
    pg_ctl start --wait --silent --options="-c listen_addresses=''"
    createdb shop
    psql --quiet --set=ON_ERROR_STOP=1 --file=/srv/schema.sql
    pg_ctl stop --wait --silent --mode=fast
fi
exec postgres
