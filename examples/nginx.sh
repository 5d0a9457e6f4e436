# Read by the `run` of an example that stands behind nginx, after idp.sh: start_nginx
# makes of deploy/proxies/nginx what serves http://reports.localhost:PORT, with the
# application at $data/app.sock.
# shellcheck shell=bash
needs nginx nginx
PATH=$PATH:/usr/sbin

start_nginx() { # start_nginx [SED-SCRIPT]: which changes site.conf further
  local from=$root/deploy/proxies/nginx as_root=
  [ "$(id -u)" != 0 ] || as_root="user $(id -un) $(id -gn);"
  # Without TLS, for a name that browsers take to this machine; docs/forward-auth.md has the same.
  sed -e "s/127\.0\.0\.1:8080/127.0.0.1:$ISSUER_PORT/" -e '/^server {/,/^}/d' "$from/idp.conf" >"$data/idp.conf"
  sed -e "s|server 127\.0\.0\.1:3000;|server unix:$data/app.sock;|" -e '/listen 80;/,/^server {/d' \
    -e "s/listen 443 .*/listen 127.0.0.1:$PORT;/" -e '/ssl_certificate/d' -e 's/https/http/' \
    -e "s/set \$idp_site .*/set \$idp_site reports.localhost:$PORT;/" -e 's/reports\.example\.com/reports.localhost/' "${@:--e }" "$from/site.conf" >"$data/site.conf"
  cat >"$data/nginx.conf" <<EOF
$as_root
daemon off;
pid $data/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path $data/nginx-body;
    proxy_temp_path $data/nginx-proxy;
    fastcgi_temp_path $data/nginx-fastcgi;
    uwsgi_temp_path $data/nginx-uwsgi;
    scgi_temp_path $data/nginx-scgi;
    include $data/idp.conf;
    include $data/site.conf;
}
EOF
  serve nginx -p "$data" -e stderr -c "$data/nginx.conf"
}

# start_uwsgi OPTION...: the Django site of this folder, one process
start_uwsgi() {
  needs uwsgi uwsgi-core uwsgi-plugin-python3
  uwsgi --plugin python3 --virtualenv "$root/.cache/python" --module reports.wsgi --need-app --die-on-term --chmod-socket=600 --disable-logging "$@" \
    >"$data/app.log" 2>&1 &
  # Before it has come so far it does not end when it is told to.
  until grep -qs 'spawned uWSGI worker' "$data/app.log"; do
    kill -0 $! 2>/dev/null || { cat "$data/app.log" >&2; exit 1; }
    sleep 0.1
  done
}
