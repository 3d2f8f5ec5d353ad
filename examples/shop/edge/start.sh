# Starts the edge before the shop at $ORIGIN.
set -eu
sed "s/ORIGIN/$ORIGIN/" /srv/nginx.conf > /tmp/nginx.conf
exec nginx -c /tmp/nginx.conf -g 'daemon off;'
