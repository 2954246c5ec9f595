// SPDX-License-Identifier: Apache-2.0
// A Redis of the test's own: a process on a Unix socket in a scratch folder, or on a port of the loopback.

import CHiredis
import Glibc
import Testing
import WeirRedis
import WeirTestSupport

/// A running `redis-server`, killed when it goes.
final class RedisServer {
    struct Failure: Error {
        let what: String
    }

    private static let program = "/usr/bin/redis-server"

    static let isInstalled = access(program, X_OK) == 0
    static let missing: Comment = "redis-server, which scripts/setup installs"

    private let folder: ScratchFolder
    private let arguments: [String]
    private let port: UInt16?
    private var process: pid_t = 0

    /// - Parameters:
    ///   - options: as on the command line of redis-server.
    ///   - onPort: whether it listens on 127.0.0.1 too.
    init(_ options: [String] = [], onPort: Bool = false, isStarted: Bool = true) throws {
        folder = try ScratchFolder()
        port = onPort ? try Self.freePort() : nil
        arguments =
            [
                Self.program, "--port", "\(port ?? 0)", "--bind", "127.0.0.1", "--unixsocket", "\(folder.path)/redis",
                "--dir", folder.path, "--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning",
                "--logfile", "\(folder.path)/log",
            ] + options
        if isStarted { try start() }
    }

    deinit {
        kill()
    }

    var url: String { "unix:\(folder.path)/redis" }
    var portText: String { port.map { "\($0)" } ?? "" }

    /// Starts the process, and waits until it answers.
    func start() throws {
        var words = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        let error = posix_spawn(&process, Self.program, nil, nil, &words, environ)
        guard error == 0 else { throw Failure(what: "posix_spawn: \(error)") }
        eventually("redis-server answers") { (try? command("PING")) != nil }
    }

    func kill() {
        guard process > 0 else { return }
        Glibc.kill(process, SIGKILL)
        waitpid(process, nil, 0)
        process = 0
    }

    /// Stops the process where it is; its socket still takes connections and bytes.
    func pause() {
        Glibc.kill(process, SIGSTOP)
        waitpid(process, nil, WUNTRACED)
    }

    func resume() {
        Glibc.kill(process, SIGCONT)
    }

    /// Runs a command on a connection of its own; answers its text, or the lines of a list.
    @discardableResult
    func command(_ words: String...) throws -> [String] {
        guard let context = redisConnectUnix("\(folder.path)/redis") else { throw Failure(what: "no memory") }
        defer { redisFree(context) }
        var arguments: [UnsafePointer<CChar>?] = words.map { UnsafePointer(strdup($0)) }
        defer { for argument in arguments { free(UnsafeMutableRawPointer(mutating: argument)) } }
        guard context.pointee.err == 0, let reply = redisCommandArgv(context, Int32(words.count), &arguments, nil)
        else {
            throw Failure(what: words.joined(separator: " "))
        }
        defer { freeReplyObject(reply) }
        return Self.lines(reply.assumingMemoryBound(to: redisReply.self).pointee)
    }

    private static func lines(_ reply: redisReply) -> [String] {
        switch reply.type {
        case REDIS_REPLY_ARRAY: (0..<Int(reply.elements)).flatMap { lines(reply.element[$0]!.pointee) }
        case REDIS_REPLY_INTEGER: ["\(reply.integer)"]
        case REDIS_REPLY_NIL: []
        default: [String(cString: reply.str)]
        }
    }

    /// Redis's clock, in nanoseconds.
    func time() throws -> UInt64 {
        let parts = try command("TIME").compactMap { UInt64($0) }
        return parts[0] * 1_000_000_000 + parts[1] * 1000
    }

    private static func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
            }
        }
        guard result == 0 else { throw Failure(what: "no free port") }
        return UInt16(bigEndian: address.sin_port)
    }
}
