-- SPDX-License-Identifier: Apache-2.0
-- For wrk: `load.lua -- DEPTH BODY` sends DEPTH requests at a time on each connection, as POST with BODY bytes where
-- that is not 0; the counts go out as one JSON line.

function init(arguments)
    local depth = tonumber(arguments[1])
    local body_bytes = tonumber(arguments[2])
    if body_bytes > 0 then
        wrk.method = "POST"
        wrk.body = string.rep("x", body_bytes)
    end
    if depth > 1 then
        local batch = string.rep(wrk.format(), depth)
        -- Declared only here: where wrk finds no such function it repeats one request without calling Lua.
        request = function() return batch end
    end
end

function done(summary)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}\n',
        summary.requests, errors.connect, errors.read, errors.write, errors.status, errors.timeout
    ))
end
