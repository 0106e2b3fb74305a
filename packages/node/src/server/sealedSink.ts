import type { ServerResponse } from 'node:http'
import {
  concatBytes,
  encodeContentChunk,
  encodeResponseHead,
  type Field,
  OHTTP_RESPONSE_TYPE,
  REFUSED_HEADER,
  REQUEST_ID_HEADER,
  RESPONSE_END,
  type ResponseSealer,
} from '@assay/protocol'
import type { AnswerSink } from './answerSink.ts'

/**
 * Takes an answer as a socket would and sends it encrypted: status, headers and bytes are inside; outside is only the
 * request's id, which the gateway knows. The last chunk goes out with `end`, so that whoever relays can hold it back
 * until it has the receipt.
 */
export class SealedSink implements AnswerSink {
  readonly #response: ServerResponse
  readonly #sealer: ResponseSealer
  readonly #fields: Field[] = []
  /** Sealing is asynchronous and writing is not: everything goes out in the order of the calls. */
  #turn: Promise<void> = Promise.resolve()
  #whole: Uint8Array[] = []
  headersSent = false

  constructor(response: ServerResponse, sealer: ResponseSealer) {
    this.#response = response
    this.#sealer = sealer
  }

  get destroyed(): boolean {
    return this.#response.destroyed
  }

  setHeader(name: string, value: string): void {
    this.#fields.push([name, value])
  }

  writeHead(status: number, headers: Record<string, string | number>, refused = false): void {
    const id = headers[REQUEST_ID_HEADER]
    this.headersSent = true
    this.#response.writeHead(200, {
      'content-type': OHTTP_RESPONSE_TYPE[this.#sealer.form],
      'cache-control': 'no-store, no-transform',
      ...(id === undefined ? {} : { [REQUEST_ID_HEADER]: id }),
      ...(refused ? { [REFUSED_HEADER]: String(status) } : {}),
    })
    this.#response.write(this.#sealer.start)
    const fields = [
      ...this.#fields,
      ...Object.entries(headers).map(([name, value]): Field => [name, String(value)]),
    ]
    this.#send(encodeResponseHead(status, fields))
  }

  write(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#send(encodeContentChunk(bytes))
  }

  end(last: Uint8Array, done: () => void): void {
    const rest = last.length === 0 ? RESPONSE_END : concatBytes([encodeContentChunk(last), RESPONSE_END])
    this.#next(async () => {
      const sealed = await this.#sealer.seal(concatBytes([...this.#whole, rest]), true)
      this.#response.end(sealed, done)
    })
  }

  once(event: 'close', listener: () => void): void {
    this.#response.once(event, listener)
  }

  setTimeout(milliseconds: number, onTimeout: () => void): void {
    this.#response.setTimeout(milliseconds, onTimeout)
  }

  destroy(): void {
    this.#response.destroy()
  }

  #send(bytes: Uint8Array): void {
    if (this.#sealer.form === 'whole') this.#whole.push(bytes)
    else {
      this.#next(async () => {
        this.#response.write(await this.#sealer.seal(bytes, false))
      })
    }
  }

  #next(step: () => Promise<void>): void {
    // What cannot be sealed must not be sent in another way: the connection breaks, and the reader knows.
    this.#turn = this.#turn.then(step).catch(() => {
      this.#response.destroy()
    })
  }
}
