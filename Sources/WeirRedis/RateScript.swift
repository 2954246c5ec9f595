// SPDX-License-Identifier: Apache-2.0
// What Redis runs for a check: the states of GCRA are read, decided on and written in one step, by Redis's own clock.

/// The script. It needs Redis 5 or later (or Valkey): scripts that read the clock may write from then on.
///
/// `KEYS` are the states of the limits; for each `ARGV` has what the check costs and the tolerance, in nanoseconds. The
/// answer is a number for each limit: what is owed from now on, or, below zero, for how long the check comes too early.
/// Where one comes too early nothing is written, and the others say what is owed already.
///
/// The state is what was owed and when (microseconds of Unix time), not the one instant at which nothing is owed any
/// more: as nanoseconds that would pass 2^53, beyond which a double is not exact. A clock that is set back then costs
/// the time that it went back, and no more. A key lives as long as something is owed: afterwards it is as good as none.
enum RateScript {
    static let source = """
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local owed, refuses = {}, false
        for i, key in ipairs(KEYS) do
          owed[i] = 0
          local state = redis.call('GET', key)
          if state then
            local before, at = string.match(state, '^(%d+):(%d+)$')
            if before then owed[i] = math.max(0, before - math.max(0, now - at) * 1000) end
          end
          local over = owed[i] + ARGV[2 * i - 1] - ARGV[2 * i]
          if over > 0 then
            owed[i] = -over
            refuses = true
          end
        end
        if refuses then return owed end
        for i, key in ipairs(KEYS) do
          owed[i] = owed[i] + ARGV[2 * i - 1]
          local lifetime = math.floor(owed[i] / 1000000) + 2
          redis.call('SET', key, string.format('%.0f:%.0f', owed[i], now), 'PX', string.format('%.0f', lifetime))
        end
        return owed
        """
}
