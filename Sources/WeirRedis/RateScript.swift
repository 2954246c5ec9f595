// SPDX-License-Identifier: Apache-2.0
// What Redis runs for a check: the state of GCRA is read, decided on and written in one step, by Redis's own clock.

/// The script. It needs Redis 5 or later (or Valkey): scripts that read the clock may write from then on.
///
/// `KEYS[1]` is the state, `ARGV[1]` what the check costs and `ARGV[2]` the tolerance, both in nanoseconds. The answer is
/// what is owed from now on, or below zero for how long the check comes too early; only what is admitted is written.
///
/// The state is what was owed and when (microseconds of Unix time), not the one instant at which nothing is owed any
/// more: as nanoseconds that would pass 2^53, beyond which a double is not exact. A clock that is set back then costs
/// the time that it went back, and no more. A key lives as long as something is owed: afterwards it is as good as none.
enum RateScript {
    static let source = """
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local owed = 0
        local state = redis.call('GET', KEYS[1])
        if state then
          local before, at = string.match(state, '^(%d+):(%d+)$')
          if before then owed = math.max(0, before - math.max(0, now - at) * 1000) end
        end
        owed = owed + ARGV[1]
        local over = owed - ARGV[2]
        if over > 0 then return -over end
        local lifetime = math.floor(owed / 1000000) + 2
        redis.call('SET', KEYS[1], string.format('%.0f:%.0f', owed, now), 'PX', string.format('%.0f', lifetime))
        return owed
        """
}
