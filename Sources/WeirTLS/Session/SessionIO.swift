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
    let output: Output
    let argument: UnsafeMutableRawPointer

    init(output: @escaping Output, argument: UnsafeMutableRawPointer) {
        unsafe self.output = output
        unsafe self.argument = argument
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
