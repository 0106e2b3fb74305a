import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { AssayError } from '@assay/protocol'
import type { Hex } from 'viem'
import { type Anvil, endStaleAnvil, startAnvil } from './anvilProcess.ts'
import { lockFolder } from './folderLock.ts'
import { type Journal, openJournal } from './journal.ts'
import { rpcCall } from './rpcCall.ts'
import { startRpcProxy } from './rpcProxy.ts'
import { readSnapshot, type Snapshot, saveSnapshot, snapshotFiles, unzipState } from './snapshots.ts'

export type DevnetOptions = {
  /** Where the chain's state lives between runs. */
  dir: string
  /** @default 31337 */
  chainId?: number | undefined
  /** Port of the public JSON-RPC door on 127.0.0.1; 0 takes a free one. @default 8545 */
  port?: number | undefined
  /** Seconds. @default 1 */
  blockTime?: number | undefined
  /**
   * Whether what is mined is saved again and again, to survive a kill. The whole chain is dumped for it, which holds the
   * chain up for seconds once it has thousands of transactions: a long test of something else does without. @default true
   */
  durable?: boolean | undefined
  /** One line per event; never holds a key or a transaction's content. */
  log?: ((event: string, facts: Record<string, unknown>) => void) | undefined
}

export type Devnet = {
  /** Public door, `http://127.0.0.1:<port>`. */
  url: string
  port: number
  chainId: number
  /** What the public door refuses, such as `anvil_setCode`; for the bootstrap only. A snapshot should follow. */
  admin(method: string, params: readonly unknown[]): Promise<unknown>
  /** Process id of the chain behind the door; undefined while it restarts. */
  anvilPid(): number | undefined
  /** Makes everything mined so far durable. */
  snapshot(): Promise<void>
  close(): Promise<void>
}

/**
 * A state's cost grows with the chain, so a tenth of the time is spent on it; but what a kill takes must stay younger than
 * the blocks in which receipts are anchored, since transactions sent again land in other blocks.
 */
const SNAPSHOT_REST_FACTOR = 10
/** Empty blocks are kept as well, this many at a time: receipts are anchored in them, and readers remember how far they read. */
const BLOCKS_PER_SNAPSHOT = 6
const LONGEST_SNAPSHOT_REST_MILLISECONDS = 4_000
const RESTART_DELAYS_MILLISECONDS = [100, 500, 2000, 5000]

/**
 * A development chain that survives kill -9: anvil behind a door of ordinary methods, its state in checked snapshots,
 * every accepted transaction in a journal until two snapshots hold it. After a crash the newest few blocks may have
 * other numbers and hashes (a reorg), but no confirmed transaction is lost.
 * @throws AssayError `config` for a taken port or a folder of another chain, `conflict` for a folder in use.
 */
export async function startDevnet(options: DevnetOptions): Promise<Devnet> {
  const { chainId = 31337, port = 8545, blockTime = 1, durable = true, log = () => undefined } = options
  const folder = path.resolve(options.dir)
  if (!Number.isSafeInteger(chainId) || chainId < 1 || !(blockTime >= 1 && blockTime <= 3600)) {
    throw new AssayError('The development chain was given settings it cannot run with.', {
      code: 'config',
      facts: { chainId, blockTime },
      next: 'A chain id is a positive integer, the block time 1 to 3600 seconds.',
    })
  }
  mkdirSync(folder, { recursive: true })
  const lock = lockFolder(folder)
  let anvil: Anvil | undefined
  let journal: Journal | undefined
  const proxy = await startRpcProxy({
    port,
    target: () => anvil?.port,
    onAccepted: (hash, raw) => (journal as Journal).append({ hash, raw }),
  }).catch((error) => {
    lock.release()
    throw error
  })

  const chain = new RunningChain({ folder, chainId, blockTime, durable, log })
  try {
    if (await endStaleAnvil(folder)) log('chain.stale_process_ended', {})
    journal = openJournal(folder)
    await chain.start(journal)
    anvil = chain.process
  } catch (error) {
    await proxy.close()
    await journal?.close()
    lock.release()
    throw error
  }
  chain.onChange = (process) => {
    anvil = process
  }

  let closing: Promise<void> | undefined
  return {
    url: `http://127.0.0.1:${proxy.port}`,
    port: proxy.port,
    chainId,
    admin: (method, params) => chain.call(method, params),
    anvilPid: () => anvil?.pid,
    snapshot: () => chain.snapshot(),
    close() {
      closing ??= (async () => {
        await proxy.close()
        await chain.stop()
        await (journal as Journal).close()
        lock.release()
      })()
      return closing
    },
  }
}

type RunningChainOptions = {
  folder: string
  chainId: number
  blockTime: number
  durable: boolean
  log: (event: string, facts: Record<string, unknown>) => void
}

/** The chain process together with what makes it durable. */
class RunningChain {
  process: Anvil | undefined
  onChange: (process: Anvil | undefined) => void = () => undefined
  readonly #options: RunningChainOptions
  #journal: Journal | undefined
  #timer: NodeJS.Timeout | undefined
  #stopping = false
  /** Newest block whose transactions were looked at; and of the newest snapshot. */
  #seenBlock = 0
  #savedBlock = 0
  /** Whether a transaction was mined since that snapshot. */
  #dirty = false
  #nextSnapshotAt = 0
  /** Mined since the last snapshot; and mined before it, but not yet in two of them. */
  #mined = new Set<Hex>()
  #inOneSnapshot = new Set<Hex>()
  #work: Promise<void> = Promise.resolve()

  constructor(options: RunningChainOptions) {
    this.#options = options
  }

  async start(journal: Journal): Promise<void> {
    this.#journal = journal
    await this.#boot()
    this.#schedule()
  }

  call(method: string, params: readonly unknown[], timeoutMilliseconds?: number): Promise<unknown> {
    if (this.process === undefined) {
      throw new AssayError('The chain process is being restarted.', {
        code: 'unreachable',
        facts: { method },
      })
    }
    return rpcCall(this.process.port, method, params, timeoutMilliseconds)
  }

  /** Loads the newest snapshot that proves sound, then the journal. */
  async #boot(): Promise<void> {
    const { folder, chainId, log } = this.#options
    const files = snapshotFiles(path.join(folder, 'snapshots'))
    for (const file of files) {
      const snapshot = await readSnapshot(file)
      if (snapshot !== undefined && snapshot.header.chainId !== chainId) {
        throw new AssayError('The folder holds the state of another chain.', {
          code: 'config',
          facts: { folder, holds: snapshot.header.chainId, asked: chainId },
          next: 'Use the chain id it was made with, or another folder.',
        })
      }
      if (snapshot !== undefined && (await this.#bootFrom(snapshot))) return
      log('chain.snapshot_skipped', { file: path.basename(file) })
    }
    if (files.length > 0) {
      throw new AssayError('No snapshot of the chain is readable.', {
        code: 'config',
        facts: { folder, snapshots: files.length },
        next: 'Move the folder away to start an empty chain; its balances and receipts are lost.',
      })
    }
    await this.#run(undefined)
    await this.#replay()
    // At once, so that the folder is bound to this chain from its first second.
    await this.snapshot()
  }

  async #bootFrom(snapshot: Snapshot): Promise<boolean> {
    const stateFile = path.join(this.#options.folder, 'loading.json')
    writeFileSync(stateFile, snapshot.state, { mode: 0o600 })
    try {
      await this.#run(stateFile)
    } catch {
      return false
    } finally {
      rmSync(stateFile, { force: true })
    }
    const { block, blockHash } = snapshot.header
    const loaded = (await this.call('eth_getBlockByNumber', [`0x${block.toString(16)}`, false])) as {
      hash?: unknown
    } | null
    if (loaded?.hash !== blockHash) {
      await this.#discard()
      return false
    }
    this.#seenBlock = block
    this.#savedBlock = block
    await this.#replay()
    return true
  }

  async #run(stateFile: string | undefined): Promise<void> {
    const { folder, chainId, blockTime, log } = this.#options
    const anvil = await startAnvil({ folder, chainId, blockTime, stateFile })
    this.process = anvil
    void anvil.ended.then((reason) => {
      if (this.process !== anvil) return
      this.process = undefined
      this.onChange(undefined)
      if (this.#stopping) return
      log('chain.process_ended', { reason })
      this.#work = this.#work.then(() => this.#restart())
    })
  }

  async #discard(): Promise<void> {
    const anvil = this.process
    this.process = undefined
    await anvil?.kill()
  }

  async #restart(): Promise<void> {
    for (let attempt = 0; !this.#stopping; attempt++) {
      try {
        await this.#boot()
        this.onChange(this.process)
        this.#options.log('chain.process_restarted', {})
        return
      } catch (error) {
        await this.#discard()
        this.#options.log('chain.restart_failed', {
          reason: error instanceof Error ? error.message : String(error),
        })
        const last = RESTART_DELAYS_MILLISECONDS.length - 1
        await new Promise((resolve) =>
          setTimeout(resolve, RESTART_DELAYS_MILLISECONDS[Math.min(attempt, last)]),
        )
      }
    }
  }

  /** Sends the journal again in its order; what the snapshot holds already is refused by its nonce, and counts as mined. */
  async #replay(): Promise<void> {
    const entries = (this.#journal as Journal).entries()
    let accepted = 0
    this.#mined.clear()
    this.#inOneSnapshot.clear()
    for (const { hash, raw } of entries) {
      try {
        await this.call('eth_sendRawTransaction', [raw])
        accepted++
      } catch (error) {
        if (error instanceof AssayError && error.code === 'unreachable') throw error
        this.#mined.add(hash)
      }
    }
    this.#dirty = entries.length > 0
    if (entries.length > 0) this.#options.log('chain.journal_replayed', { entries: entries.length, accepted })
  }

  #schedule(): void {
    if (this.#stopping) return
    this.#timer = setTimeout(() => {
      this.#work = this.#work
        .then(() => this.#tick())
        .catch((error) => {
          this.#options.log('chain.snapshot_failed', {
            reason: error instanceof Error ? error.message : String(error),
          })
        })
      void this.#work.finally(() => this.#schedule())
    }, 1000)
  }

  async #tick(): Promise<void> {
    if (this.process === undefined) return
    await this.#look()
    const due = this.#dirty || this.#seenBlock - this.#savedBlock >= BLOCKS_PER_SNAPSHOT
    if (this.#options.durable && due && Date.now() >= this.#nextSnapshotAt) await this.#save()
  }

  snapshot(): Promise<void> {
    const task = this.#work.then(async () => {
      await this.#look()
      await this.#save()
    })
    this.#work = task.catch(() => undefined)
    return task
  }

  /** Notes the transactions of new blocks. */
  async #look(): Promise<void> {
    const newest = Number(await this.call('eth_blockNumber', []))
    while (this.#seenBlock < newest) {
      const number = this.#seenBlock + 1
      const block = (await this.call('eth_getBlockByNumber', [`0x${number.toString(16)}`, false])) as {
        transactions: Hex[]
      } | null
      if (block === null) return
      for (const hash of block.transactions) this.#mined.add(hash)
      if (block.transactions.length > 0) this.#dirty = true
      this.#seenBlock = number
    }
  }

  async #save(): Promise<void> {
    const { folder, chainId } = this.#options
    const started = Date.now()
    const block = this.#seenBlock
    const header = (await this.call('eth_getBlockByNumber', [`0x${block.toString(16)}`, false])) as {
      hash: string
    }
    const covered = this.#mined
    this.#mined = new Set()
    this.#dirty = false
    try {
      const dump = (await this.call('anvil_dumpState', [false], 120_000)) as Hex
      const zipped = Buffer.from(dump.slice(2), 'hex')
      if ((await unzipState(zipped, block)) === undefined) throw new Error('the dump is not a sound state')
      saveSnapshot(path.join(folder, 'snapshots'), { chainId, block, blockHash: header.hash }, zipped)
      this.#savedBlock = block
    } catch (error) {
      for (const hash of covered) this.#mined.add(hash)
      this.#dirty = true
      throw error
    }
    // The one before this snapshot must be able to lead here too, should this one be damaged on the disk.
    if (this.#inOneSnapshot.size > 0) await (this.#journal as Journal).drop(this.#inOneSnapshot)
    this.#inOneSnapshot = covered
    const rest = SNAPSHOT_REST_FACTOR * (Date.now() - started)
    this.#nextSnapshotAt = Date.now() + Math.min(rest, LONGEST_SNAPSHOT_REST_MILLISECONDS)
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#stopping = true
    try {
      if (this.process !== undefined) await this.snapshot()
    } catch (error) {
      this.#options.log('chain.last_snapshot_failed', {
        reason: error instanceof Error ? error.message : String(error),
      })
    }
    await this.#work.catch(() => undefined)
    await this.#discard()
  }
}
