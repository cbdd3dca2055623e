curl -sS 'https://keyward.example/api/v2/me' \
  -H 'Authorization: Bearer kw_live_value'
