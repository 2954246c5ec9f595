// SPDX-License-Identifier: Apache-2.0
// Where a session's bytes come from and go to: OpenSSL's idea of a file (BIO), over the slice that was received and the
// output of the connection.

import COpenSSL

/// What a session's BIO refers to. Owned by its `TLSSession`, which outlives the BIO.
@safe package struct SessionIO {
    /// Takes bytes that are to be sent: all of them.
    package typealias Output = @convention(c) (_ argument: UnsafeMutableRawPointer, UnsafeRawPointer, Int) -> Void

    /// What has come and was not read; empty outside of a call of the session.
    var input = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    /// Nothing has come yet.
    var isNew = true
    /// The handshake has been done.
    var isEstablished = false
    /// Messages of TLS itself that have come since the peer's last content.
    var messageCount = 0
    /// What comes may be in front of the end of the handshake.
    var readsEarlyData = false
    /// Why nothing more is read.
    var fault: TLSFault?
    /// A server's session, which has more to fear; nil for a client's.
    private var server: OpaquePointer?
    private var gate = HelloGate(isLooking: false)
    let output: Output
    let argument: UnsafeMutableRawPointer

    /// The most messages of TLS without any content between them: a handshake has six, a session new keys at times.
    static let messagesMax = 32

    init(output: @escaping Output, argument: UnsafeMutableRawPointer) {
        unsafe self.output = output
        unsafe self.argument = argument
    }

    /// Makes it a server's: what comes is looked at before OpenSSL has it.
    mutating func guardServer(_ session: OpaquePointer, takesEarlyData: Bool) {
        unsafe server = unsafe session
        gate = HelloGate(isLooking: true)
        readsEarlyData = takesEarlyData
    }

    var isServer: Bool { unsafe server != nil }

    /// Whether OpenSSL may have the next bytes of the input; else there is a fault.
    mutating func passes(_ count: Int) -> Bool {
        guard fault == nil else { return false }
        guard messageCount <= Self.messagesMax else {
            fault = .flood
            return false
        }
        guard gate.isLooking, !isEstablished else { return true }
        let isTLS13 = unsafe SSL_version(server) == TLS1_3_VERSION
        guard unsafe gate.passes(UnsafeRawBufferPointer(rebasing: input[..<count]), isTLS13: isTLS13) else {
            fault = .helloTooLarge
            return false
        }
        return true
    }

    /// Counts the messages that come, for `SSL_CTX_set_msg_callback`.
    static let noteMessage:
        @convention(c) (
            Int32, Int32, Int32, UnsafeRawPointer?, Int, OpaquePointer?, UnsafeMutableRawPointer?
        ) -> Void = { isSent, _, type, _, _, _, argument in
            guard isSent == 0, type == SSL3_RT_HANDSHAKE else { return }
            unsafe argument?.assumingMemoryBound(to: SessionIO.self).pointee.messageCount += 1
        }

    /// A BIO over `io`, with one reference; nil where there is no memory.
    static func makeBIO(_ io: UnsafeMutablePointer<SessionIO>) -> OpaquePointer? {
        guard let bio = unsafe BIO_new(method) else { return nil }
        unsafe BIO_set_data(bio, io)
        unsafe BIO_set_init(bio, 1)
        return unsafe bio
    }

    /// Made once, before anything uses it, and constant from then on.
    private nonisolated(unsafe) static let method: OpaquePointer? = {
        guard let method = unsafe BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir") else { return nil }
        unsafe BIO_meth_set_read_ex(method, readInput)
        unsafe BIO_meth_set_write_ex(method, writeOutput)
        unsafe BIO_meth_set_ctrl(method, control)
        return unsafe method
    }()
}

private let readInput:
    @convention(c) (OpaquePointer?, UnsafeMutablePointer<CChar>?, Int, UnsafeMutablePointer<Int>?) -> Int32 =
        { bio, target, capacity, readCount in
            let io = unsafe BIO_get_data(bio).assumingMemoryBound(to: SessionIO.self)
            unsafe weir_bio_clear_retry(bio)
            let count = unsafe min(capacity, io.pointee.input.count)
            guard count > 0, let source = unsafe io.pointee.input.baseAddress, let target = unsafe target else {
                // Not the end: more may come.
                unsafe weir_bio_retry_read(bio)
                return 0
            }
            // Without asking for a retry: it breaks the session.
            guard unsafe io.pointee.passes(count) else { return 0 }
            unsafe UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: count)
            unsafe io.pointee.input = unsafe UnsafeRawBufferPointer(rebasing: io.pointee.input[count...])
            unsafe readCount?.pointee = count
            return 1
        }

private let writeOutput:
    @convention(c) (OpaquePointer?, UnsafePointer<CChar>?, Int, UnsafeMutablePointer<Int>?) -> Int32 =
        { bio, source, count, writtenCount in
            let io = unsafe BIO_get_data(bio).assumingMemoryBound(to: SessionIO.self)
            unsafe weir_bio_clear_retry(bio)
            if let source = unsafe source, count > 0 { unsafe io.pointee.output(io.pointee.argument, source, count) }
            unsafe writtenCount?.pointee = count
            return 1
        }

private let control: @convention(c) (OpaquePointer?, Int32, Int, UnsafeMutableRawPointer?) -> Int = {
    _,
    command,
    _,
    _ in
    // There is nothing to flush; of all else it is said that it is not supported.
    command == BIO_CTRL_FLUSH ? 1 : 0
}
