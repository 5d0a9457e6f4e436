-- idp.lua asks idp about a request, for HAProxy 2.6 and later:
--
--     http-request lua.idp abns@idp-question https://reports.example.com
--
-- The first is the section of haproxy.cfg that leads to idp, which bounds how long it
-- takes; the second is the site, with its port where browsers see one. Unless idp says yes, the client gets idp's answer. Only after a yes is
-- txn.idp_yes "yes": what comes behind must demand it, so an error here, whichever,
-- lets nobody in.

-- What idp hears of the client's headers.
local asked = { "cookie", "authorization", "accept", "origin", "referer", "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site", "x-requested-with", "user-agent" }

-- What the application hears from idp, and from nobody else. With other names in
-- idp.yaml (forward_auth: headers:) change them here, and delete them in haproxy.cfg.
local told = { "remote-user", "remote-name", "remote-email", "remote-groups", "remote-assertion", "cookie" }

-- What the client hears when the answer is no.
local refused = { "location", "idp-reason", "retry-after", "www-authenticate", "content-type", "cache-control", "content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy" }

-- The values of a header, which HAProxy counts from 0 or from 1.
local function all(headers, name)
    local out, of = {}, headers[name]
    if of then
        if of[0] then out[1] = of[0] end
        for _, value in ipairs(of) do out[#out + 1] = value end
    end
    return out
end

local function question(txn, site)
    local had, out = txn.http:req_get_headers(), {}
    for _, name in ipairs(asked) do
        local values = all(had, name)
        -- HTTP/2 may send a cookie a line (RFC 9113 section 8.2.3); what else comes twice idp refuses.
        if name == "cookie" and #values > 1 then values = { table.concat(values, "; ") } end
        if #values > 0 then out[name] = values end
    end
    out["x-original-url"] = { site .. txn.f:pathq() }
    out["x-original-method"] = { txn.f:method() }
    out["x-forwarded-for"] = { txn.f:src() }
    out["host"] = { (site:gsub("^https?://", "")) }
    return out
end

local function no(txn, answer)
    local reply = txn:reply()
    local status = answer.status
    -- 503 with a reason: what checks passwords does not answer.
    if status ~= 401 and status ~= 403 and not (status == 503 and answer.headers["idp-reason"]) then
        reply:set_status(503)
        reply:add_header("content-type", "text/plain")
        reply:set_body("The login is not available. Try again in a minute.\n")
        txn:done(reply)
        return
    end
    if answer.headers["location"] then status = 303 end
    reply:set_status(status)
    for _, name in ipairs(refused) do
        for _, value in ipairs(all(answer.headers, name)) do reply:add_header(name, value) end
    end
    reply:set_body(answer.body or "")
    txn:done(reply)
end

local function yes(txn, answer)
    for _, name in ipairs(told) do
        local values = all(answer.headers, name)
        if #values > 1 then error("idp sent " .. name .. " twice") end
        txn.http:req_del_header(name)
        if values[1] then txn.http:req_add_header(name, values[1]) end
    end
    txn.http:req_del_header("authorization")
    local mutual = all(answer.headers, "www-authenticate")
    if mutual[1] then txn:set_var("txn.idp_mutual", mutual[1]) end
    txn:set_var("txn.idp_yes", "yes")
end

core.register_action("idp", { "http-req" }, function(txn, idp, site)
    txn:unset_var("txn.idp_yes")
    local answer = core.httpclient():get{ url = "http://127.0.0.1/forward-auth", dst = idp, headers = question(txn, site) }
    if answer and answer.status == 200 then
        yes(txn, answer)
    else
        no(txn, answer or {})
    end
end, 2)
