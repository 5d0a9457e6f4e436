-- idp.lua asks idp about a request, for Apache 2.4's mod_lua (LuaHookAccessChecker).
-- It needs LuaSocket: Debian's lua-socket. reports.conf beside it says the rest.
--
-- Only after a yes is the variable idp_yes "yes"; the configuration demands it.

local socket = require "socket"

-- What idp hears of the client's headers.
local asked = { "Cookie", "Authorization", "Accept", "Origin", "Referer", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-Site", "X-Requested-With", "User-Agent" }

-- What the application hears from idp, and from nobody else; other names in
-- idp.yaml (forward_auth: headers:) belong here too.
local told = { "Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups", "Remote-Assertion", "Cookie" }

-- What somebody might read a user, a path, a host or an address from, by the
-- beginning of its name.
local foreign = { "remote-", "x-remote-", "x-auth-request-", "x-webauth-", "x-forwarded-", "x-original-", "x-rewrite-url", "x-real-ip", "forwarded", "proxy",
    "cf-connecting-ip", "client-ip", "true-client-ip", "x-client-ip", "x-cluster-client-ip", "x-host", "x-http-host-override", "x-scheme", "x-script-name", "x-sendfile-type", "x-accel-mapping" }

local seconds = 5 -- a password is checked by a KDC

-- strip deletes what clients must not send. Remote_User is Remote-User to most
-- applications: names with anything but letters, digits and hyphens go.
local function strip(r)
    for name in pairs(r:headers_in_table()) do
        local low = name:lower()
        local bad = low:find("[^a-z0-9-]")
        for _, begin in ipairs(foreign) do
            bad = bad or low:sub(1, #begin) == begin
        end
        if bad then r.headers_in[name] = nil end
    end
end

-- endToEnd keeps the client from naming headers that a proxy drops (RFC 9110 section
-- 7.6.1): it might name idp's.
local function endToEnd(r)
    local connection = (r.headers_in["Connection"] or ""):lower()
    local upgrade = (r.headers_in["Upgrade"] or ""):lower() == "websocket" and connection:find("upgrade", 1, true)
    if not upgrade then r.headers_in["Upgrade"] = nil end
    r.headers_in["Connection"] = upgrade and "Upgrade" or connection:find("close", 1, true) and "close" or nil
end

-- The connection to idp, kept by this thread.
local kept

local function connect(at)
    local host, port = at:match("^(.*):(%d+)$")
    local c = assert(socket.tcp())
    c:settimeout(2)
    assert(c:connect(host, tonumber(port)))
    c:settimeout(seconds)
    c:setoption("tcp-nodelay", true)
    return c
end

-- chunks reads a chunked body (RFC 9112 section 7.1).
local function chunks(c)
    local out = {}
    while true do
        local size = assert(tonumber(assert(c:receive("*l")):match("^%x+"), 16), "no chunk")
        if size > 0 then out[#out + 1] = assert(c:receive(size)) end
        assert(assert(c:receive("*l")) == "", "no end of a chunk")
        if size == 0 then return table.concat(out) end
    end
end

-- answer reads a response: its status, its headers by names in lower case, each a
-- list of lines, and its body. Whatever is not as it must be is an error.
local function answer(c)
    local line, err = c:receive("*l")
    if not line then return nil, err end
    local status = assert(tonumber(line:match("^HTTP/1%.1 (%d%d%d)")), "no HTTP")
    local headers, body = {}, ""
    while true do
        line = assert(c:receive("*l"))
        if line == "" then break end
        local name, value = line:match("^([%w-]+):[ \t]*(.-)[ \t]*$")
        assert(name, "no header")
        name = name:lower()
        headers[name] = headers[name] or {}
        table.insert(headers[name], value)
    end
    if headers["transfer-encoding"] then
        body = chunks(c)
    else
        local length = tonumber((headers["content-length"] or { "0" })[1])
        if length > 0 then body = assert(c:receive(length)) end
    end
    return { status = status, headers = headers, body = body }
end

local function ask(at, request)
    if kept then
        local c = kept
        kept = nil
        local a, err = c:send(request)
        if a then a, err = answer(c) end
        if a then kept = c return a end
        c:close()
        assert(err ~= "timeout", err) -- else idp had closed it, before it read anything
    end
    local c = connect(at)
    assert(c:send(request))
    local a = assert(answer(c))
    kept = c
    return a
end

local function question(r, site)
    local lines = {
        "GET /forward-auth HTTP/1.1",
        "Host: " .. site:gsub("^https?://", ""),
        "X-Original-URL: " .. site .. r.unparsed_uri,
        "X-Original-Method: " .. r.method,
        "X-Forwarded-For: " .. r.useragent_ip,
    }
    for _, name in ipairs(asked) do
        local value = r.headers_in[name]
        if value then lines[#lines + 1] = name .. ": " .. value end
    end
    for _, line in ipairs(lines) do
        assert(not line:find("[\r\n%z]"), "a line in a line")
    end
    return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

local function no(r, a)
    -- 503 with a reason: what checks passwords does not answer.
    if a.status ~= 401 and a.status ~= 403 and not (a.status == 503 and a.headers["idp-reason"]) then return 503 end
    local status = a.status
    -- Apache keeps one line of each; a list of challenges is one too (RFC 9110 section 11.6.1).
    for _, name in ipairs { "Location", "Idp-Reason", "Retry-After", "WWW-Authenticate", "Cache-Control" } do
        local values = a.headers[name:lower()]
        if values then r.err_headers_out[name] = table.concat(values, ", ") end
    end
    if a.headers["location"] then return 303 end
    if a.body ~= "" then r:custom_response(status, a.body) end
    return status
end

local function yes(r, a)
    for _, name in ipairs(told) do
        local values = a.headers[name:lower()] or {}
        assert(#values <= 1, "idp sent " .. name .. " twice")
        r.headers_in[name] = values[1]
    end
    r.headers_in["Authorization"] = nil
    local mutual = a.headers["www-authenticate"]
    if mutual then r.err_headers_out["WWW-Authenticate"] = mutual[1] end
    r.subprocess_env["idp_yes"] = "yes"
    return apache2.OK
end

function check(r)
    local at, site = r.subprocess_env["idp_at"], r.subprocess_env["idp_site"]
    r.subprocess_env["idp_yes"] = nil
    strip(r)
    endToEnd(r)
    r.headers_in["Host"] = site:gsub("^https?://", "")
    r.headers_in["X-Forwarded-For"] = r.useragent_ip
    r.headers_in["X-Forwarded-Proto"] = "https"
    r.headers_in["X-Forwarded-Host"] = r.headers_in["Host"]

    local raw = r.unparsed_uri
    if raw:sub(1, 1) ~= "/" then return 400 end
    -- Everything below /.idp/ is idp's, without a question: the way to the login and
    -- back, and out. Only as it is written here, or Apache and idp might read two paths.
    local path = raw:match("^[^?]*")
    if path:match("^/%.idp/[a-z-]+$") or path:match("^/%.idp/static/[a-z0-9.-]+$") and not path:find("..", 1, true) then
        r.subprocess_env["idp_yes"] = "yes"
        return apache2.OK
    end
    if r.uri:sub(1, 6) == "/.idp/" then return 404 end

    local ok, a = pcall(ask, at, question(r, site))
    if not ok then
        r:err("idp: " .. tostring(a))
        return 503
    end
    return a.status == 200 and yes(r, a) or no(r, a)
end
