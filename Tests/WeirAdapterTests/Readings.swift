// SPDX-License-Identifier: Apache-2.0
// What pods of the tests answer.

import WeirAdapter
import WeirEventLoop

extension QueueReading {
    /// What /queue answers, with all that is not given at rest.
    static func text(
        utilization: Double = 0,
        executing: Double = 0,
        queued: Double = 0,
        limit: Double = 10,
        queueSeconds: Double = 0,
        arrived: Double = 0,
        oldest: Double = 0
    ) -> String {
        """
        {"utilization":\(utilization),"offered_load":\(utilization * limit),"executing":\(executing),\
        "queued":\(queued),"requests":\(executing + queued),"concurrency_limit":\(limit),"queue_limit":40,\
        "queued_peak":\(queued),"oldest_seconds":\(oldest),"queue_seconds_total":\(queueSeconds),\
        "execution_seconds_total":0,"arrived_total":\(arrived),"rejected_total":0,"streams_active":0,"pools":[]}
        """
    }
}

extension PodSample {
    static let second: Nanoseconds = 1_000_000_000

    /// At this second, of our clock and of the calendar.
    static func at(_ second: Double, _ text: String = QueueReading.text()) -> PodSample {
        guard let reading = QueueReading(parsing: Array(text.utf8)) else { preconditionFailure("no reading: \(text)") }
        return PodSample(reading, at: Nanoseconds(second * 1e9), second: Int64(second))
    }
}
