-- wrk's script. "echo": 1,000 different bodies in turn, every hundredth answer must hold a changed text ("same": the same text). "stream":
-- every answer must have all 200 events. Any answer must be a 200. The last line that is printed is for load.py.
local requests, sent, answered, is_stream = {}, 0, 0, false
local pattern = '"text":"document number %d%d%d%d says hello!"'
local threads = {}
wrong = 0 -- global: `done` reads it from each thread

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  is_stream = args[1] == "stream"
  if args[1] == "same" then pattern = pattern:gsub("!", "") end
  for number = 0, 999 do
    local text = string.format('{"text":"document number %04d says hello"}', number)
    local headers = { ["Content-Type"] = "application/json" }
    requests[number + 1] = is_stream and wrk.format("GET", "/stream", headers, text)
      or wrk.format("POST", "/echo", headers, '{"data":[' .. text .. "]}")
  end
end

function request()
  sent = sent + 1
  return requests[sent % 1000 + 1]
end

local function is_right(body)
  if is_stream then
    local _, n_events = body:gsub("event: update\r\n", "")
    return n_events == 200 and body:find("says hello 199", 1, true) and body:find("event: end", 1, true)
  end
  return answered % 100 ~= 0 or body:find(pattern)
end

function response(status, headers, body)
  answered = answered + 1
  if status ~= 200 or not is_right(body) then
    wrong = wrong + 1
  end
end

function done(summary, latency, requests)
  local total = 0
  for _, thread in ipairs(threads) do total = total + thread:get("wrong") end
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration, total,
    errors.connect + errors.read + errors.write + errors.timeout))
end
