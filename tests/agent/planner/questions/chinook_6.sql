-- Sixth set over Chinook, written blind.

-- count: how many genres are there?
select count(*) from Genre;

-- count: how many albums were recorded by Led Zeppelin?
select count(*) from Album b join Artist a on a.ArtistId = b.ArtistId where a.Name = 'Led Zeppelin';

-- count: number of tracks in the Jazz genre
select count(*) from Track t join Genre g on g.GenreId = t.GenreId where g.Name = 'Jazz';

-- count: how many customers have no company?
select count(*) from Customer where Company is null;

-- count: how many tracks does the album Big Ones have?
select count(*) from Track t join Album b on b.AlbumId = t.AlbumId where b.Title = 'Big Ones';

-- count: how many invoices does customer 3 have?
select count(*) from Invoice where CustomerId = 3;

-- count: how many playlists are there?
select count(*) from Playlist;

-- count: how many employees work in Calgary?
null;

-- count: number of employees in Calgary
select count(*) from Employee where City = 'Calgary';

-- count: how many tracks cost 1.99?
select count(*) from Track where UnitPrice = 1.99;

-- metric: total revenue in Brazil
select sum(Total) from Invoice where BillingCountry = 'Brazil';

-- metric: how many units did we sell in 2024?
select sum(l.Quantity) from InvoiceLine l join Invoice i on i.InvoiceId = l.InvoiceId where i.InvoiceDate like '2024%';

-- metric: average length of Rock tracks in seconds
select avg(t.Milliseconds) / 1000.0 from Track t join Genre g on g.GenreId = t.GenreId where g.Name = 'Rock';

-- metric: revenue from Iron Maiden
null;

-- metric: sales of the artist Iron Maiden
select sum(l.UnitPrice * l.Quantity) from InvoiceLine l join Track t on t.TrackId = l.TrackId join Album b on b.AlbumId = t.AlbumId join Artist a on a.ArtistId = b.ArtistId where a.Name = 'Iron Maiden';

-- metric: average price of tracks by genre
select g.Name, avg(t.UnitPrice) from Track t join Genre g on g.GenreId = t.GenreId group by g.GenreId;

-- group: number of invoices by city
select BillingCity, count(*) from Invoice group by 1;

-- group: invoices per customer
select CustomerId, count(*) from Invoice group by 1;

-- group: number of customers by state
select State, count(*) from Customer group by 1;

-- group: tracks per artist
select a.ArtistId, count(*) from Track t join Album b on b.AlbumId = t.AlbumId join Artist a on a.ArtistId = b.ArtistId group by 1;

-- group: units sold by country in 2023
select i.BillingCountry, sum(l.Quantity) from InvoiceLine l join Invoice i on i.InvoiceId = l.InvoiceId where i.InvoiceDate like '2023%' group by 1;

-- group: total bytes by media type
select m.Name, sum(t.Bytes) from Track t join MediaType m on m.MediaTypeId = t.MediaTypeId group by m.MediaTypeId;

-- group: sales by album
select b.AlbumId, sum(l.UnitPrice * l.Quantity) from InvoiceLine l join Track t on t.TrackId = l.TrackId join Album b on b.AlbumId = t.AlbumId group by 1;

-- group: average number of tracks per album by genre
select GenreId, avg(n) from (select GenreId, AlbumId, count(*) n from Track group by 1, 2) group by 1;

-- topn: top 10 artists by units sold
select a.Name, sum(l.Quantity) s from InvoiceLine l join Track t on t.TrackId = l.TrackId join Album b on b.AlbumId = t.AlbumId join Artist a on a.ArtistId = b.ArtistId group by a.ArtistId order by s desc, a.ArtistId limit 10;

-- topn: top 5 cities by sales
select BillingCity, sum(Total) s from Invoice group by 1 order by s desc, 1 limit 5;

-- topn: 3 largest invoices in 2024
select InvoiceId from Invoice where InvoiceDate like '2024%' order by Total desc, InvoiceId limit 3;

-- topn: five longest Jazz tracks
select t.Name from Track t join Genre g on g.GenreId = t.GenreId where g.Name = 'Jazz' order by t.Milliseconds desc limit 5;

-- topn: top 3 customers in Germany by number of invoices
select c.CustomerId, count(*) n from Invoice i join Customer c on c.CustomerId = i.CustomerId where c.Country = 'Germany' group by 1 order by n desc, 1 limit 3;

-- topn: 10 biggest tracks by bytes
select TrackId from Track order by Bytes desc limit 10;

-- topn: top 2 tracks per genre by units sold
select g, n from (select g.Name g, t.Name n, row_number() over (partition by g.GenreId order by sum(l.Quantity) desc, t.TrackId) r from InvoiceLine l join Track t on t.TrackId = l.TrackId join Genre g on g.GenreId = t.GenreId group by t.TrackId) where r <= 2;

-- superlative: which playlist contains the most tracks?
select p.PlaylistId, count(*) n from PlaylistTrack x join Playlist p on p.PlaylistId = x.PlaylistId group by 1 order by n desc limit 1;

-- superlative: which media type has the most tracks?
select m.Name, count(*) n from Track t join MediaType m on m.MediaTypeId = t.MediaTypeId group by m.MediaTypeId order by n desc limit 1;

-- superlative: which composer has the most tracks?
select Composer, count(*) n from Track where Composer is not null group by 1 order by n desc limit 1;

-- superlative: who is the customer with the highest total sales?
select CustomerId, sum(Total) s from Invoice group by 1 order by s desc limit 1;

-- superlative: which city has the most customers?
select City, count(*) n from Customer group by 1 order by n desc, 1 limit 1;

-- superlative: which year had the most invoices?
select strftime('%Y', InvoiceDate), count(*) n from Invoice group by 1 order by n desc, 1 limit 1;

-- superlative: shortest Metal track
select t.TrackId from Track t join Genre g on g.GenreId = t.GenreId where g.Name = 'Metal' order by t.Milliseconds limit 1;

-- trend: sales per quarter in 2024
select strftime('%Y', InvoiceDate) || '-Q' || ((cast(strftime('%m', InvoiceDate) as integer) + 2) / 3), sum(Total) from Invoice where InvoiceDate like '2024%' group by 1;

-- trend: units sold per month in 2025
select strftime('%Y-%m', i.InvoiceDate), sum(l.Quantity) from InvoiceLine l join Invoice i on i.InvoiceId = l.InvoiceId where i.InvoiceDate like '2025%' group by 1;

-- trend: average invoice total by year
select strftime('%Y', InvoiceDate), avg(Total) from Invoice group by 1;

-- period: invoices in the last 30 days
select InvoiceId from Invoice where InvoiceDate >= '2025-11-22';

-- period: sales this year
select sum(Total) from Invoice where InvoiceDate like '2025%';

-- period: sales between 2022-03-01 and 2022-06-30
select sum(Total) from Invoice where InvoiceDate >= '2022-03-01' and InvoiceDate < '2022-07-01';

-- anti: playlists with no tracks
select PlaylistId from Playlist p where not exists (select 1 from PlaylistTrack x where x.PlaylistId = p.PlaylistId);

-- anti: media types without sales
select MediaTypeId from MediaType m where not exists (select 1 from InvoiceLine l join Track t on t.TrackId = l.TrackId where t.MediaTypeId = m.MediaTypeId);

-- anti: Rock tracks that were never purchased
select t.TrackId from Track t join Genre g on g.GenreId = t.GenreId where g.Name = 'Rock' and not exists (select 1 from InvoiceLine l where l.TrackId = t.TrackId);

-- anti: customers who have not bought anything since 2025-06-01
select CustomerId from Customer c where not exists (select 1 from Invoice i where i.CustomerId = c.CustomerId and i.InvoiceDate >= '2025-06-01');

-- having: artists with exactly 2 albums
select ArtistId from Album group by 1 having count(*) = 2;

-- having: customers who spent over 45
select CustomerId from Invoice group by 1 having sum(Total) > 45;

-- having: genres with fewer than 20 tracks
select GenreId from Track group by 1 having count(*) < 20;

-- having: countries with sales above 100
select BillingCountry, sum(Total) from Invoice group by 1 having sum(Total) > 100;

-- having: support reps with more than 18 customers
select SupportRepId, count(*) from Customer group by 1 having count(*) > 18;

-- having: albums with at least 15 tracks
select AlbumId from Track group by 1 having count(*) >= 15;

-- distinct: which cities do our customers come from?
select distinct City from Customer;

-- distinct: how many different artists are in the playlist Grunge?
select count(distinct b.ArtistId) from PlaylistTrack x join Playlist p on p.PlaylistId = x.PlaylistId join Track t on t.TrackId = x.TrackId join Album b on b.AlbumId = t.AlbumId where p.Name = 'Grunge';

-- share: what share of sales comes from the USA?
select 100.0 * sum(case when BillingCountry = 'USA' then Total end) / sum(Total) from Invoice;

-- share: share of units sold by genre
select g.Name, 100.0 * sum(l.Quantity) / (select sum(Quantity) from InvoiceLine) from InvoiceLine l join Track t on t.TrackId = l.TrackId join Genre g on g.GenreId = t.GenreId group by g.GenreId;

-- share: percentage of tracks without a composer
select 100.0 * sum(Composer is null) / count(*) from Track;

-- nested: average total sales per country
select avg(s) from (select BillingCountry, sum(Total) s from Invoice group by 1);

-- nested: average number of lines per invoice
select avg(n) from (select InvoiceId, count(*) n from InvoiceLine group by 1);

-- list: songs by Metallica longer than 8 minutes
select t.TrackId from Track t join Album b on b.AlbumId = t.AlbumId join Artist a on a.ArtistId = b.ArtistId where a.Name = 'Metallica' and t.Milliseconds > 480000;

-- list: Pop and Reggae tracks
select t.TrackId from Track t join Genre g on g.GenreId = t.GenreId where g.Name in ('Pop', 'Reggae');

-- list: invoices above 10 from Canada
select InvoiceId from Invoice where Total > 10 and BillingCountry = 'Canada';

-- list: customers of support rep 4
select CustomerId from Customer where SupportRepId = 4;

-- list: tracks with media type AAC audio file
select t.TrackId from Track t join MediaType m on m.MediaTypeId = t.MediaTypeId where m.Name = 'AAC audio file';

-- list: employees hired in 2002
select EmployeeId from Employee where HireDate like '2002%';

-- list: tracks bought by customer 8
select distinct l.TrackId from InvoiceLine l join Invoice i on i.InvoiceId = l.InvoiceId where i.CustomerId = 8;

-- list: artists with albums containing Live
null;

-- lookup: album of track 25
select b.AlbumId from Track t join Album b on b.AlbumId = t.AlbumId where t.TrackId = 25;

-- lookup: price and length of track 10
select UnitPrice, Milliseconds from Track where TrackId = 10;

-- lookup: billing city of invoice 55
select BillingCity from Invoice where InvoiceId = 55;

-- lookup: hire date of employee 6
select HireDate from Employee where EmployeeId = 6;

-- minmax: smallest invoice total in 2023
select min(Total) from Invoice where InvoiceDate like '2023%';

-- minmax: longest track length per media type
select m.Name, max(t.Milliseconds) from Track t join MediaType m on m.MediaTypeId = t.MediaTypeId group by m.MediaTypeId;

-- minmax: when was the last invoice of customer 20?
select max(InvoiceDate) from Invoice where CustomerId = 20;

-- negated: invoices not from the USA in 2024
select InvoiceId from Invoice where BillingCountry <> 'USA' and InvoiceDate like '2024%';

-- null: customers with a fax
null;

-- null: invoices with a billing state
select InvoiceId from Invoice where BillingState is not null;

-- like: tracks whose name contains 'night'
select TrackId from Track where Name like '%night%';

-- like: albums containing 'Greatest' in the title
select AlbumId from Album where Title like '%Greatest%';

-- compare: sales in 2021 vs 2022
select strftime('%Y', InvoiceDate), sum(Total) from Invoice where InvoiceDate >= '2021-01-01' and InvoiceDate < '2023-01-01' group by 1;

-- compare: does Rock or Metal have more tracks?
select g.Name, count(*) n from Track t join Genre g on g.GenreId = t.GenreId where g.Name in ('Rock', 'Metal') group by g.GenreId order by n desc limit 1;

-- selfjoin: employees managed by employee 1
null;

-- selfjoin: number of employees per manager
select ReportsTo, count(*) from Employee where ReportsTo is not null group by 1;

-- selfjoin: who does employee 5 report to?
null;

-- bridge: which playlists contain Jazz tracks?
select distinct x.PlaylistId from PlaylistTrack x join Track t on t.TrackId = x.TrackId join Genre g on g.GenreId = t.GenreId where g.Name = 'Jazz';

-- bridge: tracks that are in more than 3 playlists
select TrackId from PlaylistTrack group by 1 having count(*) > 3;

-- verb: which customers bought tracks by Queen?
select distinct i.CustomerId from Invoice i join InvoiceLine l on l.InvoiceId = i.InvoiceId join Track t on t.TrackId = l.TrackId join Album b on b.AlbumId = t.AlbumId join Artist a on a.ArtistId = b.ArtistId where a.Name = 'Queen';

-- verb: which artists sold more than 50 units?
select a.ArtistId from InvoiceLine l join Track t on t.TrackId = l.TrackId join Album b on b.AlbumId = t.AlbumId join Artist a on a.ArtistId = b.ArtistId group by 1 having sum(l.Quantity) > 50;

-- running: running total of invoices by month in 2024
select m, sum(n) over (order by m) from (select strftime('%Y-%m', InvoiceDate) m, count(*) n from Invoice where InvoiceDate like '2024%' group by 1);

-- growth: yearly growth of sales
with y as (select cast(strftime('%Y', InvoiceDate) as integer) y, sum(Total) s from Invoice group by 1) select a.y, a.s, (a.s - b.s) / b.s * 100 from y a join y b on a.y = b.y + 1;

-- refuse: play a song by Queen
null;

-- refuse: what genre will be popular next year?
null;

-- refuse: royalties per artist
null;

-- refuse: delete the playlist Grunge
null;

-- refuse: which album is the best?
null;

-- refuse: revenue by payment method
null;
