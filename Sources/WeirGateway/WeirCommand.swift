// SPDX-License-Identifier: Apache-2.0
// The command line of `weir`: its commands, its help, and how it ends.

import ArgumentParser
import Weir
import WeirAdapter
import WeirSystemd

@main struct WeirCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir",
        abstract: "An HTTP gateway for services in pods.",
        discussion: """
            Takes HTTP/1.1 requests on :8080 (WEIR_LISTEN) and passes them on to the endpoints of WEIR_UPSTREAM, such \
            as http://127.0.0.1:3000. Where that is not set, an embedded demo service answers them. Probes, metrics \
            and what is in force are on the admin port, :9901 (WEIR_ADMIN_LISTEN).

            Settings are the WEIR_* environment variables of docs/configuration.md; routes and upstreams are in the YAML \
            file that WEIR_CONFIG names, and settings may be too. `weir check` says what would be used, \
            and `weir budget` what the pod may use.

            Exit codes: 0 stopped and drained, 64 wrong usage, 69 an address cannot be listened on or the system \
            refuses what is needed, 70 a fault of weir itself, 75 not drained in time (weir drain), 78 a wrong setting. \
            Whatever is wrong is said in one line on standard error.
            """,
        version: "weir \(WeirVersion.text)",
        subcommands: [
            ServeCommand.self, CheckCommand.self, BudgetCommand.self, SchemaCommand.self, BaselineCommand.self,
            DevCertCommand.self, DrainCommand.self, MetricsAdapterCommand.self, DemoCommand.self,
        ],
        defaultSubcommand: ServeCommand.self
    )

    static func main() async {
        do {
            // Without a command, as pods run it, there is nothing to parse, which took a tenth of the start. It works as
            // long as the command has no options: one that was not parsed cannot be read.
            guard CommandLine.argc > 1 else { return try await run(ServeCommand()) }
            var command = try parseAsRoot()
            if let command = command as? any AsyncParsableCommand {
                try await run(command)
            } else {
                try command.run()
            }
        } catch let error as AppError {
            error.exit.end("weir: \(error)")
        } catch {
            end(error)
        }
    }

    private static func run(_ command: sending any AsyncParsableCommand) async throws {
        var command = command
        try checkThreads(of: command)
        try await command.run()
    }

    /// Before the first task that leaves this thread. Where no route is configured the demo has an engine, too.
    private static func checkThreads(of command: any AsyncParsableCommand) throws(AppError) {
        if command is MetricsAdapterCommand {
            return try StartThreads.checkFirst(
                [MetricsAdapterCommand.settings().engine()],
                others: AdapterLoop.threads,
                isSupervised: ServiceNotifier.isAwaited
            )
        }
        let configuration = ProcessStart.configuration
        var engines = [configuration.settings]
        if command is ServeCommand, configuration.routes.isEmpty {
            engines.append(Demo.settings(behind: configuration.settings))
        }
        try StartThreads.checkFirst(engines, isSupervised: ServiceNotifier.isAwaited)
    }

    /// Ends the process for what is no error of the service: help and version that were asked for, a wrong command
    /// line, and what nobody has thought of.
    private static func end(_ error: any Error) -> Never {
        switch exitCode(for: error) {
        case .success:
            exit(withError: error)
        case .validationFailure:
            let line = message(for: error).split(separator: "\n").first ?? "wrong usage"
            ProcessExit.wrongUsage.end("weir: \(line); see weir --help")
        default:
            ProcessExit.internalFault.end("weir: \(error)")
        }
    }
}

/// `weir serve`, which is also what `weir` alone does.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Runs the gateway until SIGTERM or SIGINT, and drains."
    )

    func run() async throws {
        try await Gateway.run(ProcessStart())
    }
}

/// `weir check`.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Checks settings and configuration file as a start would, and prints what would be used.",
        discussion: """
            One line for each setting: its name, its value (a secret as ***), and whether that comes from the \
            environment, from a line of the file, or is the default. With a file, a line for each upstream, pool and route. \
            Exits with 78 and one line where something is wrong. Binds no address and asks no endpoint.
            """
    )

    func run() throws {
        let configuration = ProcessStart.configuration
        try Gateway.app(configuration).validate()
        print(SettingsTable.text(configuration.settings), terminator: "")
        if !configuration.settings.configurationFile.isEmpty {
            print("\n" + ConfigurationTable.text(configuration), terminator: "")
        }
    }
}

/// `weir schema`.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Prints the JSON schema of the configuration file, for editors."
    )

    func run() {
        print(ConfigurationSchema.text, terminator: "")
    }
}

/// `weir demo`.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Runs the embedded demo service alone.",
        discussion: "Its files are those of the folder HELLO_FILES; without it, it serves none."
    )

    func run() async throws {
        let start = ProcessStart()
        try await Demo.app(start.settings).run(under: start.supervisor)
    }
}
