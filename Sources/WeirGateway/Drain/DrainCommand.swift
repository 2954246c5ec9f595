// SPDX-License-Identifier: Apache-2.0
// `weir drain`: has the Weir of this pod drain, and waits for that. For `preStop` hooks: the image has nothing else to run.

import ArgumentParser
import Weir

struct DrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Has the Weir of the same pod drain, and waits until nothing is in flight.",
        discussion: """
            Asks /drain of the admin port that WEIR_ADMIN_LISTEN names, over loopback or its Unix socket. The drain begins, \
            or the one that has begun is joined; the process goes on until SIGTERM. It is for preStop hooks: \
            see docs/kubernetes.md.

            Exit codes: 0 drained, 64 wrong usage, 69 nothing listens there or it is no Weir, 75 not drained in time, \
            78 a wrong setting. Whatever is wrong is said in one line on standard error.
            """
    )

    @Option(
        help: "How long to wait, such as 40s; WEIR_DRAIN_TIMEOUT and 5 s more if not given.",
        transform: { text in
            guard let timeout = DurationText.parse(text), timeout > .zero else {
                throw ValidationError("expected a duration such as 40s or 2m")
            }
            return timeout
        }
    )
    var timeout: Duration?

    /// For the answer, which comes when the drain has ended.
    private static let answerGrace: Duration = .seconds(5)

    func run() {
        let settings = Self.settings()
        let timeout = timeout ?? settings.drainTimeout + Self.answerGrace
        do throws(AdminFailure) {
            let places = try AdminPlace.all(of: settings.adminListen)
            let answer = try AdminQuestion(path: "/drain", token: settings.adminToken).ask(
                places,
                until: .now.advanced(by: timeout)
            )
            try Self.end(with: answer)
        } catch .timedOut {
            ProcessExit.timedOut.end(
                "weir: the drain has not ended within \(DurationText.format(timeout)) (--timeout); it goes on"
            )
        } catch {
            ProcessExit.unavailable.end("weir: \(error)")
        }
    }

    private static func end(with answer: AdminAnswer) throws(AdminFailure) {
        switch answer.status {
        case 200: print(answer.text)
        case 503: ProcessExit.timedOut.end("weir: \(answer.text)")
        default: throw .refused(place: answer.place, status: answer.status, text: answer.text)
        }
    }

    /// What the process was given at its start. The file may have come to be wrong since, or is being written: what runs has
    /// to drain all the same, at the address that the environment names.
    private static func settings() -> Settings {
        let environment = ProcessEnvironment.all
        do throws(SettingsError) {
            return try GatewayConfiguration.load(environment).settings
        } catch {}
        do throws(SettingsError) {
            return try Settings(environment: environment)
        } catch {
            ProcessExit.wrongConfiguration.end("weir: \(error)")
        }
    }
}
