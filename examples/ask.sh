# Read by the `run` of api-go and api-node: a program gets a token and asks the back
# end, with it and without; what a person would do is printed.
# shellcheck shell=bash
token() { # token CURL-OPTION...: an access token from the token endpoint's answer
  curl -sS "$issuer/token" "$@" | sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p'
}
echo "the back end is at $resource; this is what it says"
echo "  to whom has no token:  $(curl -sS -o /dev/null -w '%{http_code} %header{www-authenticate}' "${resource}whoami")"
access=$(token -d grant_type=client_credentials --data-urlencode "resource=$resource" -u "script:$(cat "$data/script.secret")")
echo "  to the client script:  $(curl -sS -H "Authorization: Bearer $access" "${resource}whoami")"
echo "  which may not write:   $(curl -sS -o /dev/null -w '%{http_code} %header{www-authenticate}' -X POST -H "Authorization: Bearer $access" "${resource}notes")"
cat <<TEXT
A person, bob with "$password", allows it on a page:
  curl -sS $issuer/device_authorization -d client_id=phone -d 'scope=openid notes:read notes:write' --data-urlencode resource=$resource
  # open verification_uri_complete, then, with the device_code:
  curl -sS $issuer/token -d client_id=phone -d grant_type=urn:ietf:params:oauth:grant-type:device_code -d device_code=…
  curl -sS -H 'Authorization: Bearer …' ${resource}whoami
TEXT
