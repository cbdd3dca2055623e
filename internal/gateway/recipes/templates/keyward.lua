-- Asks Keyward whether a request may pass, and answers in its place where it may not. Whatever goes wrong here, nothing passes.
local keyward = "http://{{.Keyward}}/check{{.QueryMark}}"
local patience = 2000 -- milliseconds

-- What belongs to the client's connection, or is said by this proxy and by nobody else.
local withheld = {
  ["host"] = true, ["connection"] = true, ["proxy-connection"] = true, ["keep-alive"] = true, ["te"] = true, ["trailer"] = true,
  ["transfer-encoding"] = true, ["content-length"] = true, ["upgrade"] = true, ["expect"] = true, ["accept-encoding"] = true,
  ["x-forwarded-method"] = true, ["x-forwarded-uri"] = true, ["x-forwarded-for"] = true,
  ["x-original-method"] = true, ["x-original-uri"] = true,
}

-- What a refusal may carry on to the client.
local told = {
  "content-type", "www-authenticate", "retry-after", "ratelimit", "ratelimit-policy", "x-request-id", "cache-control", "vary",
  "access-control-allow-origin", "access-control-expose-headers", "access-control-allow-methods", "access-control-allow-headers",
  "access-control-max-age",
}

-- 204 is the answer to a browser's preflight request.
local refusals = { [204] = true, [400] = true, [401] = true, [403] = true, [429] = true, [503] = true }

-- first gives the first value of an answer's header, which the client counts from 0 and from 1 alike.
local function first(headers, name)
  local values = headers and headers[name]
  return values and (values[0] or values[1])
end

local function answer(txn, status, headers, body)
  local reply = txn:reply({ status = status, reason = "Refused" })
  for name, value in pairs(headers) do
    reply:add_header(name, value)
  end
  reply:set_body(body or "")
  txn:done(reply)
end

local function unavailable(txn)
  answer(txn, 503, { ["content-type"] = "application/json", ["retry-after"] = "1", ["cache-control"] = "no-store" },
    '{"success":false,"error":{"code":"unavailable","message":"this cannot be answered now; ask again shortly","details":[],"requestId":""}}')
end

local function question(txn)
  local headers = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    if not withheld[string.lower(name)] then
      local lines = {}
      for _, value in pairs(values) do
        lines[#lines + 1] = value
      end
      headers[name] = lines
    end
  end
  headers["x-forwarded-method"] = { txn.sf:method() }
  headers["x-forwarded-uri"] = { txn.sf:pathq() }
  headers["x-forwarded-for"] = { txn.sf:src() }
  return headers
end

core.register_action("keyward", { "http-req" }, function(txn)
  local asked, verdict = pcall(function()
    return core.httpclient():get({ url = keyward, headers = question(txn), timeout = patience })
  end)
  if not asked or not verdict or not verdict.status then
    return unavailable(txn)
  end
  if verdict.status == 200 then
    for variable, header in pairs({
      keyward_key = "x-keyward-key-id", keyward_workspace = "x-keyward-workspace-id", keyward_user = "x-keyward-user-id",
      keyward_environment = "x-keyward-environment",
      keyward_permissions = "x-keyward-permissions", keyward_ratelimit = "ratelimit", keyward_ratelimit_policy = "ratelimit-policy",
    }) do
      local value = first(verdict.headers, header)
      if value and value ~= "" then
        txn:set_var("txn." .. variable, value)
      end
    end
    txn:set_var("txn.keyward_passed", "yes")
    return
  end
  if not refusals[verdict.status] or not first(verdict.headers, "x-request-id") then
    return unavailable(txn) -- not Keyward's own word
  end
  local headers = {}
  for _, name in ipairs(told) do
    headers[name] = first(verdict.headers, name)
  end
  answer(txn, verdict.status, headers, verdict.body)
end, 0)
