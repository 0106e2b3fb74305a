import { SdkError } from './errors.ts'

/** What the chain says before a payment; that it says nothing, in our own words. @throws SdkError `unreachable` */
export async function readingChain<Value>(read: Promise<Value>): Promise<Value> {
  try {
    return await read
  } catch (cause) {
    if (cause instanceof SdkError) throw cause
    throw new SdkError(
      'The chain could not be read, so what is asked for cannot be checked; nothing is paid.',
      {
        code: 'unreachable',
        next: 'Check the rpcUrl of the network file.',
        cause,
      },
    )
  }
}
