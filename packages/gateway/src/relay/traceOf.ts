import type { IncomingHttpHeaders } from 'node:http'

/** W3C Trace Context §3.2: the client's own, or our span's below it where this process traces. */
export function traceOf({ traceparent }: IncomingHttpHeaders): string | undefined {
  return typeof traceparent === 'string' && /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent)
    ? traceparent
    : undefined
}
