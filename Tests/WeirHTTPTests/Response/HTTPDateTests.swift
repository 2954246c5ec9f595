// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing
import WeirHTTP
import WeirTestSupport

@Suite("HTTPDate") struct HTTPDateTests {
    private func date(_ seconds: Int64) -> String {
        let text = HTTPDate.text(unixSeconds: seconds)
        return String(decoding: text.indices.map { text[$0] }, as: UTF8.self)
    }

    @Test(
        "Known seconds give known dates",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_078_012_800, "Sun, 29 Feb 2004 00:00:00 GMT"),
            (2_147_483_647, "Tue, 19 Jan 2038 03:14:07 GMT"),
            (2_147_483_648, "Tue, 19 Jan 2038 03:14:08 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (253_402_300_800, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (-1, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (Int64.min, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (Int64.max, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] as [(Int64, String)]
    )
    func known(seconds: Int64, expected: String) {
        #expect(date(seconds) == expected)
    }

    @Test("Random seconds give what the C library gives", arguments: [UInt64.random(in: 0...UInt64.max)])
    func likeTheCLibrary(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            let seconds = Int64.random(in: 0...253_402_300_799, using: &random)
            var time = time_t(seconds)
            var parts = tm()
            gmtime_r(&time, &parts)
            var text = [UInt8](repeating: 0, count: 64)
            let count = text.withUnsafeMutableBytes { buffer in
                strftime(buffer.baseAddress, buffer.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
            }
            guard date(seconds) == String(decoding: text[..<count], as: UTF8.self) else {
                Issue.record("seed \(seed): \(seconds) gives \(date(seconds))")
                return
            }
        }
    }
}
