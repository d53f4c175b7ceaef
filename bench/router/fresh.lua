-- A different path every time: no cache of heads helps, nor of answers.
local number = 0

request = function()
  number = number + 1
  return wrk.format("GET", "/fresh/" .. number, { ["Host"] = "shop.localhost" })
end
