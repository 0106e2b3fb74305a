/**
 * The ordinary JSON-RPC methods that the proxy lets through: reads, and transactions that their sender signed. All
 * else (`anvil_*`, `evm_*`, `hardhat_*`, `debug_*`, unlocked accounts, server-side signing) would let any program on
 * this machine rewrite the chain.
 */
const ALLOWED_METHODS: ReadonlySet<string> = new Set([
  'eth_accounts', // answered with an empty list: no key lives in the chain
  'eth_blobBaseFee',
  'eth_blockNumber',
  'eth_call',
  'eth_chainId',
  'eth_createAccessList',
  'eth_estimateGas',
  'eth_feeHistory',
  'eth_gasPrice',
  'eth_getBalance',
  'eth_getBlockByHash',
  'eth_getBlockByNumber',
  'eth_getBlockReceipts',
  'eth_getBlockTransactionCountByHash',
  'eth_getBlockTransactionCountByNumber',
  'eth_getCode',
  'eth_getFilterChanges',
  'eth_getFilterLogs',
  'eth_getLogs',
  'eth_getProof',
  'eth_getStorageAt',
  'eth_getTransactionByBlockHashAndIndex',
  'eth_getTransactionByBlockNumberAndIndex',
  'eth_getTransactionByHash',
  'eth_getTransactionCount',
  'eth_getTransactionReceipt',
  'eth_maxPriorityFeePerGas',
  'eth_newBlockFilter',
  'eth_newFilter',
  'eth_sendRawTransaction',
  'eth_syncing',
  'eth_uninstallFilter',
  'net_listening',
  'net_version',
  'web3_clientVersion',
])

/** A request that passed the checks; `params` is passed on as it came. */
export type RpcRequest = { jsonrpc: '2.0'; id: string | number | null; method: string; params: unknown[] }
export type RpcResponse = {
  jsonrpc: '2.0'
  id: string | number | null
  result?: unknown
  error?: { code: number; message: string; data?: unknown }
}

export function rpcError(id: RpcResponse['id'], code: number, message: string): RpcResponse {
  return { jsonrpc: '2.0', id, error: { code, message } }
}

/** One entry of a body: a request to pass on, or the error to answer (JSON-RPC 2.0 §5.1 codes). */
export function checkRequest(value: unknown): { request: RpcRequest } | { refused: RpcResponse } {
  const { id: rawId, method, params } = (value ?? {}) as { id?: unknown; method?: unknown; params?: unknown }
  const id = typeof rawId === 'string' || typeof rawId === 'number' ? rawId : null
  if (typeof value !== 'object' || value === null || typeof method !== 'string') {
    return { refused: rpcError(id, -32600, 'Invalid request: not a JSON-RPC 2.0 object.') }
  }
  if (!ALLOWED_METHODS.has(method)) {
    return {
      refused: rpcError(id, -32601, `The method ${method.slice(0, 64)} is not offered by this chain.`),
    }
  }
  if (params !== undefined && !Array.isArray(params)) {
    return { refused: rpcError(id, -32602, 'Invalid params: an array is expected.') }
  }
  // eth_call and eth_estimateGas take state overrides, which change nothing but the one simulation.
  return { request: { jsonrpc: '2.0', id, method, params: params ?? [] } }
}
