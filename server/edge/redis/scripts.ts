import { createHash } from 'node:crypto';

/**
 * The scripts that the engine runs, each as a whole and between two commands of others. They number the events, compare and
 * set, and own the time: no decision of theirs depends on a server's clock.
 *
 * - `log`: a stream; the entry `7-0` is event 7, with the commit that it came with, and the job as the event left it
 * - `meta`: `seq` (the newest position), `name` and `run` (the generation, and the engine's run that it stands for),
 *   `bounds` and `uploads` (what all servers have in common)
 * - `gens`: a list of the names of earlier generations, the oldest first, each with the newest position that survived it
 * - `versions`, `jobs`: for each job its version, first and newest position and key; and the job
 * - `keys`: the job of each Idempotency-Key; `owners`: the server that works on a job; `servers`: until when each one's lease runs
 */
const PREFIX = 'polling-lab:';

const PRELUDE = `
local key = function(name) return '${PREFIX}' .. name end
local call = redis.call
local LOG, META, GENS = key('log'), key('meta'), key('gens')
local VERSIONS, JOBS, KEYS_OF = key('versions'), key('jobs'), key('keys')
local OWNERS, SERVERS = key('owners'), key('servers')
local function now()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function head() return tonumber(call('HGET', META, 'seq') or '0') end
local function drop(upTo, ids, from, to)
  if upTo > 0 then call('XTRIM', LOG, 'MINID', string.format('%d', upTo + 1)) end
  for at = from, to do
    local id = ids[at]
    local known = call('HGET', VERSIONS, id)
    if known then
      local name = string.match(known, '^%d+ %d+ %d+ (.*)$')
      if name ~= '' and call('HGET', KEYS_OF, name) == id then call('HDEL', KEYS_OF, name) end
      call('HDEL', VERSIONS, id)
      call('HDEL', JOBS, id)
    end
  end
end
`;

/** How many earlier generations are remembered. */
export const GENERATIONS = 100;

/** A script, and the hash by which the engine knows it once it has run. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

const script = (text: string): Script => {
  const whole = PRELUDE + text;
  return { text: whole, sha: createHash('sha1').update(whole).digest('hex') };
};

/**
 * The first command of every connection. A run of the engine that is new gets a name of its own: what an earlier run has
 * acknowledged may be lost, and its positions given again. An engine that is too old (XTRIM knows MINID since Redis 6.2), or whose
 * keys are another program's, is refused now: a script that fails half-way is not undone.
 * ARGV: the name, should it be needed. Returns the name, the newest position, and the earlier generations.
 */
export const hello = script(`
local info = call('INFO', 'server')
local version, major, minor = string.match(info, 'redis_version:((%d+)%.(%d+)[%w%.]*)')
if not version or tonumber(major) * 100 + tonumber(minor) < 602 then
  return redis.error_reply('UNFIT Expected Redis 6.2 or newer, or Valkey, got ' .. (version or 'something else'))
end
local kinds = {
  [LOG] = 'stream', [META] = 'hash', [GENS] = 'list', [VERSIONS] = 'hash', [JOBS] = 'hash',
  [KEYS_OF] = 'hash', [OWNERS] = 'hash', [SERVERS] = 'zset'
}
for name, kind in pairs(kinds) do
  local found = call('TYPE', name)['ok']
  if found ~= kind and found ~= 'none' then
    return redis.error_reply('UNFIT Expected a ' .. kind .. ' at the key ' .. name .. ', got a ' .. found ..
      ' of another program. Use another database, as in redis://HOST:PORT/1')
  end
end
local run = string.match(info, 'run_id:(%w+)')
local known = call('HMGET', META, 'run', 'name')
local seq = head()
if known[1] ~= run then
  if known[2] then call('RPUSH', GENS, known[2], string.format('%d', seq)) end
  call('LTRIM', GENS, -${2 * GENERATIONS}, -1)
  call('HSET', META, 'run', run, 'name', ARGV[1], 'seq', seq)
end
return { call('HGET', META, 'name'), seq, call('LRANGE', GENS, 0, -1) }
`);

/**
 * Makes this server one of those that share the engine, if what they must have in common is the same.
 * ARGV: the server, its lease in milliseconds, its bounds, the token of its folder of uploads.
 * Returns nothing, or which of the two differs, and what the others have.
 */
export const join = script(`
local others = call('ZRANGEBYSCORE', SERVERS, '(' .. now(), '+inf')
for _, name in ipairs({ 'bounds', 'uploads' }) do
  local mine = name == 'bounds' and ARGV[3] or ARGV[4]
  local theirs = call('HGET', META, name)
  if #others > 0 and theirs and theirs ~= mine then return { name, theirs } end
  call('HSET', META, name, mine)
end
call('ZADD', SERVERS, now() + tonumber(ARGV[2]), ARGV[1])
return {}
`);

/** All jobs and the position at which they are so. Returns the position, the versions, the jobs. */
export const snapshot = script(`
return { head(), call('HGETALL', VERSIONS), call('HGETALL', JOBS) }
`);

/** ARGV: the newest position to drop, and the ids of the jobs to drop. */
export const dropBeyond = script(`
drop(tonumber(ARGV[1]), ARGV, 2, #ARGV)
return 0
`);

/**
 * Writes the changes of one turn of a server's event loop.
 * ARGV: the generation, the server, the number of this commit, the lease in milliseconds; the newest position to drop; how many
 * jobs to drop, and their ids; how many jobs change, and of each: id, version before, version after, key, 1 if its worker
 * makes the change, 1 if the server shall work on it, 1 if it has ended, the job; then of each event the index of its job and
 * the event. Returns 'stale' for an earlier generation; or the newest position, and a list of the ids of the jobs that were refused.
 */
export const commit = script(`
local generation, server, number, lease = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local MINE = key('commit:') .. server
-- Sent again because the answer was lost: the answer is given again, and nothing is written twice.
local last = call('HMGET', MINE, 'number', 'answer')
if last[1] and tonumber(last[1]) >= number then return cjson.decode(last[2]) end
if call('HGET', META, 'name') ~= generation then return 'stale' end
local at = 6
local drops = tonumber(ARGV[at])
drop(tonumber(ARGV[5]), ARGV, at + 1, at + drops)
at = at + drops + 1
local many = tonumber(ARGV[at])
at = at + 1
local seq = head()
local refused, jobs = {}, {}
for n = 1, many do
  local id, before, after, name = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local byWorker, works, ended, text = ARGV[at + 4] == '1', ARGV[at + 5] == '1', ARGV[at + 6] == '1', ARGV[at + 7]
  at = at + 8
  local known = call('HGET', VERSIONS, id)
  local ok
  if before == '0' then
    ok = not known and (name == '' or call('HSETNX', KEYS_OF, name, id) == 1)
  else
    -- Compare and set: the change was made from the newest version; and, of a worker, by the one that owns the job.
    ok = known and string.match(known, '^%d+') == before and (not byWorker or call('HGET', OWNERS, id) == server)
  end
  if ok then
    local first, prev = 0, 0
    if known then
      first, prev = string.match(known, '^%d+ (%d+) (%d+)')
    end
    jobs[n] = { id = id, after = after, name = name, first = tonumber(first), prev = tonumber(prev) }
    call('HSET', JOBS, id, text)
    if ended then call('HDEL', OWNERS, id) elseif before == '0' and works then call('HSET', OWNERS, id, server) end
  else
    refused[#refused + 1] = id
  end
end
for event = at, #ARGV, 2 do
  local job = jobs[tonumber(ARGV[event])]
  if job then
    seq = seq + 1
    local id = string.format('%d', seq)
    call('XADD', LOG, id .. '-0', 'c', server .. ' ' .. number, 'p', job.prev, 'v', ARGV[event + 1])
    if job.first == 0 then job.first = seq end
    job.prev = seq
  end
end
for _, job in pairs(jobs) do
  call('HSET', VERSIONS, job.id, string.format('%s %d %d %s', job.after, job.first, job.prev, job.name))
end
call('HSET', META, 'seq', string.format('%d', seq))
call('ZADD', SERVERS, now() + lease, server)
-- A list in the list: Lua unpacks a few thousand values at the most.
local answer = { seq, refused }
call('HSET', MINE, 'number', number, 'answer', cjson.encode(answer))
call('PEXPIRE', MINE, 3600000)
return answer
`);

/**
 * Renews the server's lease, and takes over jobs of servers whose lease has run out.
 * ARGV: the server, its lease in milliseconds, how many jobs it takes at most, 1 if it may have missed an answer. Returns the
 * newest position, and the ids of the jobs; if an answer was missed, of all that the server owns.
 */
export const renew = script(`
local server, lease, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = now()
if lease > 0 then call('ZADD', SERVERS, time + lease, server) else call('ZADD', SERVERS, 0, server) end
if most == 0 then return { head() } end
local gone = call('ZRANGEBYSCORE', SERVERS, '-inf', time)
local taken, left = { head() }, false
if ARGV[4] == '1' then
  local owners = call('HGETALL', OWNERS)
  for at = 1, #owners, 2 do
    if owners[at + 1] == server then taken[#taken + 1] = owners[at] end
  end
  most = most + #taken - 1
end
if #gone > 0 then
  local isGone = {}
  for _, name in ipairs(gone) do isGone[name] = true end
  local owners = call('HGETALL', OWNERS)
  for at = 1, #owners, 2 do
    if isGone[owners[at + 1]] then
      if #taken <= most then
        call('HSET', OWNERS, owners[at], server)
        taken[#taken + 1] = owners[at]
      else
        left = true
      end
    end
  end
  if not left then call('ZREMRANGEBYSCORE', SERVERS, '-inf', time) end
end
return taken
`);
