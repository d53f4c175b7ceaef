-- 13 fields in a browser's order; path, Referer and Cookie differ every time, so that no cache of heads helps.
local number = 0

request = function()
  number = number + 1
  return table.concat({
    "GET /fresh/" .. number .. " HTTP/1.1",
    "Host: shop.localhost",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "DNT: 1",
    "Connection: keep-alive",
    "Referer: http://shop.localhost/fresh/" .. (number - 1),
    "Cookie: session=4f1c2b7e9a3d4c55b8e0; seen=" .. number,
    "Upgrade-Insecure-Requests: 1",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: same-origin",
    "",
    "",
  }, "\r\n")
end
